// @vitest-environment happy-dom
import { act, screen } from '@testing-library/react'
import { describe, expect, it, vi } from 'vitest'
import { Card, gateway, page, render } from '../../test/support/page.js'
import type { ProductChange } from '../options.js'
import { useProductSyncStatus, useProductUpdates } from '../react-query.js'

describe('useProductUpdates', () => {
  it('hears every change, with the newest function', async () => {
    const heard: string[] = []
    function Toast({ name }: { name: string }) {
      useProductUpdates('p1', (change: ProductChange) => heard.push(`${name} ${change.productId}`))
      return null
    }
    const { rerender } = await render(<Toast name="first" />)
    gateway.deliver('p1')
    rerender(page(<Toast name="second" />))
    gateway.deliver('p1')
    gateway.deliver('p2')
    expect(heard).toEqual(['first p1', 'second p1'])
    expect(gateway.calls).toHaveLength(1)
  })

  it('hears nothing while it is switched off', async () => {
    const heard = vi.fn()
    function Toast() {
      useProductUpdates('p1', heard, { enabled: false })
      return null
    }
    await render(<Toast />)
    expect(gateway.opened).toBe(0)
  })
})

describe('useProductSyncStatus', () => {
  it('renders when the connection changes', async () => {
    const Status = () => <p data-testid="status">{useProductSyncStatus().status}</p>
    const status = () => screen.getByTestId('status').textContent
    await render([<Status key="s" />, <Card key="c" id="p1" detail />])
    expect(status()).toBe('connected')
    act(() => gateway.drop())
    expect(status()).toBe('waiting')
  })
})
