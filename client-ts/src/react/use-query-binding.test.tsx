// @vitest-environment happy-dom
import { QueryClient, QueryClientProvider, useQuery } from '@tanstack/react-query'
import { act, render as renderInto } from '@testing-library/react'
import { type ReactNode, StrictMode } from 'react'
import { describe, expect, it, vi } from 'vitest'
import {
  Card,
  client,
  gateway,
  LINGER_MS,
  page,
  pass,
  render,
  scroll,
  sync,
} from '../../test/support/page.js'
import { QUIET } from '../../test/support/shown.js'
import { createProductSync } from '../product-sync.js'
import { configureProductSync, ProductSyncProvider } from '../react-query.js'
import { fakeTransport } from '../testing.js'

describe('the binding', () => {
  it('is one, however many cards there are', async () => {
    const listened = vi.spyOn(sync, 'onProductChange')
    await render(Array.from({ length: 10 }, (_, n) => <Card key={n} id={`p${n}`} />))
    expect(listened).toHaveBeenCalledTimes(1)
  })

  it('is that of the client in use now (defect: first queryClient captured)', async () => {
    const second = new QueryClient(QUIET)
    for (const each of [client, second]) each.setQueryData(['product', 'p1'], { id: 'p1' })
    const { rerender } = await render(<Card id="p1" />)
    scroll('p1', true)
    rerender(page(<Card id="p1" />, { client: second }))
    await pass(LINGER_MS * 2)
    gateway.deliver('p1')
    await pass(5_000)
    const marked = [client, second].map((each) => each.getQueryState(['product', 'p1'])?.isInvalidated)
    expect(marked).toEqual([false, true])
  })

  it('outlives a route change, so that what its window holds is fetched', async () => {
    const fetched = vi.fn(async () => [{ id: 'p1' }])
    function Layout({ children }: { children?: ReactNode }) {
      useQuery({ queryKey: ['products'], queryFn: fetched })
      return children
    }
    const { rerender } = await render(
      <Layout>
        <Card id="p1" />
      </Layout>,
    )
    scroll('p1', true)
    await pass()
    gateway.deliver('p1')
    rerender(page(<Layout />))
    await pass(1_000)
    expect(fetched).toHaveBeenCalledTimes(2)
  })

  it('is stopped when nobody has needed it for a while', async () => {
    client.setQueryData(['product', 'p1'], { id: 'p1' })
    const { rerender } = await render(<Card id="p1" />)
    rerender(page(null))
    await pass(LINGER_MS * 2)
    sync.subscribe('p1')
    await pass()
    gateway.deliver('p1')
    await pass(5_000)
    expect(client.getQueryState(['product', 'p1'])?.isInvalidated).toBe(false)
  })

  it('is made with the options of the provider', async () => {
    client.setQueryData(['sku', 'p1'], { id: 'p1' })
    renderInto(
      <QueryClientProvider client={client}>
        <ProductSyncProvider sync={sync} queries={{ keys: { detail: (id) => ['sku', id] } }}>
          <Card id="p1" detail />
        </ProductSyncProvider>
      </QueryClientProvider>,
    )
    await pass()
    gateway.deliver('p1')
    await pass(500)
    expect(client.getQueryState(['sku', 'p1'])?.isInvalidated).toBe(true)
  })
})

describe('another sync', () => {
  it('takes over, and the connection of the one before is closed (defect: HMR leaves a second socket)', async () => {
    const other = fakeTransport()
    const next = createProductSync({ transport: other })
    const { rerender } = await render(<Card id="p1" detail />)
    rerender(page(<Card id="p1" detail />, { sync: next }))
    await pass(LINGER_MS * 2)
    expect([gateway.isOpen, other.isOpen, ...other.joined]).toEqual([false, true, 'p1'])
    next.dispose()
  })

  it('is made by a second configureProductSync, which closes the first (defect: HMR leaves a second socket)', async () => {
    const other = fakeTransport()
    configureProductSync({ transport: gateway })
    const withoutProvider = (
      <StrictMode>
        <QueryClientProvider client={client}>
          <Card id="p1" detail />
        </QueryClientProvider>
      </StrictMode>
    )
    renderInto(withoutProvider)
    await pass()
    expect([...gateway.joined]).toEqual(['p1'])
    act(() => configureProductSync({ transport: other }))
    await pass()
    expect([gateway.isOpen, other.isOpen, ...other.joined]).toEqual([false, true, 'p1'])
  })
})
