// @vitest-environment happy-dom
import { createProductSync } from '@shelfcast/client'
import { ProductSyncProvider } from '@shelfcast/client/react-query'
import { type FakeTransport, fakeTransport } from '@shelfcast/client/testing'
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { act, cleanup, fireEvent, render, screen } from '@testing-library/react'
import { StrictMode } from 'react'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { Checkout } from './checkout.js'
import type { Order, OrderAnswer } from './order.js'

let price: number
let gateway: FakeTransport
let orders: Order[]

/** The shop: it sells only at the price that it has when the order arrives. */
async function sendOrder(order: Order): Promise<OrderAnswer> {
  orders.push(order)
  const from = order.lines[0]?.unitPrice ?? 0
  if (from === price) return { needsUpdate: false, orderNumber: 'A-1' }
  return { needsUpdate: true, corrections: [{ productId: 'shoe', field: 'unitPrice', from, to: price }] }
}
const fetchCheckout = async (): Promise<Order> => ({
  lines: [{ productId: 'shoe', quantity: 1, unitPrice: price }],
})

const pass = (ms = 10) => act(() => vi.advanceTimersByTimeAsync(ms))
async function click(name: string) {
  fireEvent.click(screen.getByRole('button', { name }))
  await pass()
}

beforeEach(async () => {
  vi.useFakeTimers()
  price = 100
  orders = []
  gateway = fakeTransport()
  render(
    <StrictMode>
      <QueryClientProvider client={new QueryClient()}>
        <ProductSyncProvider sync={createProductSync({ transport: gateway })}>
          <Checkout fetchCheckout={fetchCheckout} sendOrder={sendOrder} />
        </ProductSyncProvider>
      </QueryClientProvider>
    </StrictMode>,
  )
  await pass()
})
afterEach(() => {
  cleanup()
  vi.useRealTimers()
})

it('shows a new price at once, so that the order is right the first time', async () => {
  price = 120
  gateway.deliver('shoe')
  await pass()
  await click('Pay 120')
  expect(screen.getByText('Thank you. Your order is A-1.')).toBeDefined()
  expect(orders).toHaveLength(1)
})

it('shows the correction when the price changed between the last look and the click, and sells what is accepted', async () => {
  price = 120 // nobody told the gateway yet
  await click('Pay 100')
  expect(screen.getByRole('alertdialog').textContent).toContain('shoe now costs 120 instead of 100.')
  expect(orders).toHaveLength(1)
  await click('Accept and pay')
  expect(screen.getByText('Thank you. Your order is A-1.')).toBeDefined()
  expect(orders.map(({ lines }) => lines[0]?.unitPrice)).toEqual([100, 120])
})

it('shows the new price after the visitor declined it', async () => {
  price = 120
  await click('Pay 100')
  await click('Back')
  expect(screen.getByRole('button', { name: 'Pay 120' })).toBeDefined()
})
