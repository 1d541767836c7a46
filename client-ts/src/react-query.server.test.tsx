/** On a server: no page, no effects. Everything renders, and nothing is opened or left behind. */
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { renderToString } from 'react-dom/server'
import { expect, it, vi } from 'vitest'
import { createProductSync } from './product-sync.js'
import {
  ProductSyncProvider,
  useCartSync,
  useCheckoutSync,
  useProductSyncStatus,
  useProductUpdates,
  useProductWebSocket,
} from './react-query.js'
import { fakeTransport } from './testing.js'
import { useProductUpdateStore } from './zustand.js'

function Page() {
  const { ref } = useProductWebSocket({ productId: 'p1', isDetailPage: true })
  useProductUpdates('p1', () => {})
  useCartSync()
  useCheckoutSync({ productIds: ['p2'] })
  const { status } = useProductSyncStatus()
  const active = useProductUpdateStore((state) => state.activeDetailProduct)
  return (
    <p ref={ref}>
      {status} {String(active)}
    </p>
  )
}

const html = (page: React.ReactNode) =>
  renderToString(<QueryClientProvider client={new QueryClient()}>{page}</QueryClientProvider>)

it('renders with a provider, and follows nothing', async () => {
  const complaint = vi.spyOn(console, 'error')
  const gateway = fakeTransport()
  const sync = createProductSync({ transport: gateway })
  const rendered = html(
    <ProductSyncProvider sync={sync}>
      <Page />
    </ProductSyncProvider>,
  )
  await gateway.settled()
  expect(rendered).toBe('<p>idle<!-- --> <!-- -->null</p>')
  expect([gateway.opened, sync.inspect(), sync.roles.get('detail').size]).toEqual([0, [], 0])
  expect(complaint).not.toHaveBeenCalled()
})

it('renders without a provider, and leaves no timer behind', () => {
  vi.useFakeTimers()
  html(<Page />)
  expect(vi.getTimerCount()).toBe(0)
  vi.useRealTimers()
})
