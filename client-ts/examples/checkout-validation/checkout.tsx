/**
 * The flow in React. `useCheckoutSync` makes corrections rare, because a change of price is on the screen at once; the
 * flow makes them safe, because the last change may come between the last look and the click.
 */
import { useCheckoutSync } from '@shelfcast/client/react-query'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect, useState, useSyncExternalStore } from 'react'
import { type CheckoutFlow, createCheckoutFlow } from './checkout-flow.js'
import type { Correction, Order, OrderAnswer } from './order.js'

/** What the page needs of the shop's API: two functions that stay the same. */
export interface CheckoutProps {
  readonly fetchCheckout: () => Promise<Order>
  readonly sendOrder: (order: Order, idempotencyKey: string) => Promise<OrderAnswer>
}

export function Checkout({ fetchCheckout, sendOrder }: CheckoutProps) {
  const { data: order } = useQuery({ queryKey: ['checkout'], queryFn: fetchCheckout })
  useCheckoutSync({ productIds: order?.lines.map((line) => line.productId) ?? [] })
  const [flow] = useState(() => createCheckoutFlow({ send: sendOrder }))
  const state = useSyncExternalStore(flow.onState, flow.getState, flow.getState)
  useFreshPrices(state.step)

  if (!order) return null
  switch (state.step) {
    case 'confirming':
      return <Corrections corrections={state.corrections} flow={flow} />
    case 'placed':
      return <p>Thank you. Your order is {state.orderNumber}.</p>
    case 'failed':
      return (
        <p role="alert">
          We could not reach the shop. <button onClick={flow.retry}>Try again</button>
        </p>
      )
    default:
      return (
        <form
          onSubmit={(event) => {
            event.preventDefault()
            flow.place(order)
          }}
        >
          <Lines order={order} />
          <button disabled={state.step === 'sending'}>Pay {total(order)}</button>
        </form>
      )
  }
}

/** What the shop corrected is true of the cart and the order as well, whether the visitor accepts it or not. */
function useFreshPrices(step: string): void {
  const client = useQueryClient()
  useEffect(() => {
    if (step !== 'confirming' && step !== 'placed') return
    void client.invalidateQueries({ queryKey: ['checkout'] })
    void client.invalidateQueries({ queryKey: ['cart'] })
  }, [client, step])
}

function Lines({ order }: { order: Order }) {
  return (
    <ul>
      {order.lines.map(({ productId, quantity, unitPrice }) => (
        <li key={productId}>
          {quantity} × {productId}: {quantity * unitPrice}
        </li>
      ))}
    </ul>
  )
}

function Corrections({ corrections, flow }: { corrections: readonly Correction[]; flow: CheckoutFlow }) {
  return (
    <div role="alertdialog" aria-label="Something has changed">
      <ul>
        {corrections.map((correction) => (
          <li key={`${correction.productId} ${correction.field}`}>{sentence(correction)}</li>
        ))}
      </ul>
      <button onClick={flow.accept}>Accept and pay</button>
      <button onClick={flow.decline}>Back</button>
    </div>
  )
}

function sentence({ productId, field, from, to }: Correction): string {
  if (field === 'unitPrice') return `${productId} now costs ${to} instead of ${from}.`
  return to === 0 ? `${productId} is sold out.` : `There are only ${to} of ${productId}.`
}

const total = ({ lines }: Order): number =>
  lines.reduce((sum, line) => sum + line.quantity * line.unitPrice, 0)
