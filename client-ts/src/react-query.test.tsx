// @vitest-environment happy-dom
import { QueryClient, QueryClientProvider, useQuery } from '@tanstack/react-query'
import { act, cleanup, render as renderInto, screen } from '@testing-library/react'
import { type ReactNode, StrictMode } from 'react'
import {
  destroyIntersectionMocking,
  mockIsIntersecting,
  setupIntersectionMocking,
} from 'react-intersection-observer/test-utils'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { QUIET } from '../test/support/shown.js'
import type { ProductChange, ProductSync } from './options.js'
import { createProductSync } from './product-sync.js'
import {
  configureProductSync,
  ProductSyncProvider,
  useCartSync,
  useCheckoutSync,
  useProductSyncStatus,
  useProductUpdates,
  useProductWebSocket,
} from './react-query.js'
import { type FakeTransport, fakeTransport } from './testing.js'

let client: QueryClient
let gateway: FakeTransport
let sync: ProductSync

beforeEach(() => {
  vi.useFakeTimers()
  setupIntersectionMocking(vi.fn)
  client = new QueryClient(QUIET)
  gateway = fakeTransport()
  sync = createProductSync({ transport: gateway })
})
afterEach(() => {
  cleanup()
  sync.dispose()
  client.clear()
  destroyIntersectionMocking()
  vi.useRealTimers()
})

/** Lets time pass, and React do what follows from it. */
const pass = (ms = 10) => act(() => vi.advanceTimersByTimeAsync(ms))
const LINGER_MS = 2_000

function page(children: ReactNode, with_: { client?: QueryClient; sync?: ProductSync } = {}) {
  return (
    <StrictMode>
      <QueryClientProvider client={with_.client ?? client}>
        <ProductSyncProvider sync={with_.sync ?? sync}>{children}</ProductSyncProvider>
      </QueryClientProvider>
    </StrictMode>
  )
}

async function render(children: ReactNode) {
  const rendered = renderInto(page(children))
  await pass()
  return rendered
}

let renders = 0
function Card({
  id,
  enabled = true,
  detail = false,
}: {
  id: string | undefined
  enabled?: boolean
  detail?: boolean
}) {
  renders += 1
  const { ref } = useProductWebSocket({ productId: id, enabled, isDetailPage: detail })
  return <article ref={ref} data-testid={id} />
}

function scroll(id: string, isInView: boolean) {
  for (const element of screen.getAllByTestId(id)) mockIsIntersecting(element, isInView)
}

const joins = () => gateway.calls.filter(({ type }) => type === 'join').length
const leaves = () => gateway.calls.filter(({ type }) => type === 'leave').length

describe('useProductWebSocket', () => {
  it('joins what comes into view, and leaves what went out of it after a while', async () => {
    await render([<Card key="1" id="p1" />, <Card key="2" id="p2" />])
    expect(gateway.opened).toBe(0)
    scroll('p1', true)
    await pass()
    expect([...gateway.joined]).toEqual(['p1'])
    scroll('p1', false)
    scroll('p2', true)
    await pass(LINGER_MS - 20)
    expect([...gateway.joined]).toEqual(['p1', 'p2'])
    await pass(100)
    expect([...gateway.joined]).toEqual(['p2'])
  })

  it('renders nothing when the visitor scrolls or a product changes', async () => {
    await render(<Card id="p1" />)
    const before = renders
    for (const isInView of [true, false, true]) {
      scroll('p1', isInView)
      await pass(3_000)
      gateway.deliver('p1')
      await pass(3_000)
    }
    expect(renders).toBe(before)
  })

  it('fetches what changed, for the component that shows it', async () => {
    let price = 1
    function Priced() {
      const { data } = useQuery({ queryKey: ['product', 'p1'], queryFn: async () => ({ id: 'p1', price }) })
      const { ref } = useProductWebSocket({ productId: 'p1' })
      return (
        <p ref={ref} data-testid="p1">
          {data?.price}
        </p>
      )
    }
    await render(<Priced />)
    scroll('p1', true)
    await pass()
    price = 2
    gateway.deliver('p1')
    await pass(499)
    expect(screen.getByTestId('p1').textContent).toBe('1')
    await pass(2)
    expect(screen.getByTestId('p1').textContent).toBe('2')
  })

  it('joins once under StrictMode, and leaves nothing', async () => {
    await render(<Card id="p1" detail />)
    await pass(LINGER_MS * 2)
    expect([gateway.opened, joins(), leaves()]).toEqual([1, 1, 0])
  })

  it('keeps the product while any card shows it (defect: one card leaves for all)', async () => {
    const first = <Card key="first" id="p1" />
    const second = <Card key="second" id="p1" />
    const { rerender } = await render([first, second])
    scroll('p1', true)
    await pass()
    rerender(page([second]))
    await pass(LINGER_MS * 2)
    expect([...gateway.joined]).toEqual(['p1'])
    rerender(page([]))
    await pass(LINGER_MS * 2)
    expect(gateway.joined.size).toBe(0)
  })

  it('joins what was in view before the connection was there (defect: joins only if connected)', async () => {
    gateway = fakeTransport({ greets: false })
    sync = createProductSync({ transport: gateway })
    await render(<Card id="p1" />)
    scroll('p1', true)
    await pass()
    expect(gateway.joined.size).toBe(0)
    gateway.greet()
    await pass()
    expect([...gateway.joined]).toEqual(['p1'])
  })

  it('joins again after the connection was lost (defect: never rejoins)', async () => {
    await render(<Card id="p1" />)
    scroll('p1', true)
    await pass()
    gateway.drop()
    await pass(30_000)
    expect([gateway.opened, ...gateway.joined]).toEqual([2, 'p1'])
  })

  it('looks anew, without a scroll, when another product is shown', async () => {
    const { rerender } = await render(<Card id="p1" />)
    scroll('p1', true)
    await pass()
    rerender(page(<Card id="p2" />))
    await pass(LINGER_MS * 2)
    expect([...gateway.joined]).toEqual(['p2'])
  })

  it('looks anew, without a scroll, when it is switched on and off', async () => {
    const { rerender } = await render(<Card id="p1" enabled={false} />)
    scroll('p1', true)
    await pass()
    expect(gateway.joined.size).toBe(0)
    rerender(page(<Card id="p1" />))
    await pass()
    expect([...gateway.joined]).toEqual(['p1'])
    rerender(page(<Card id="p1" enabled={false} />))
    await pass(LINGER_MS * 2)
    expect(gateway.joined.size).toBe(0)
  })

  it.each([undefined, ''])('follows nothing while the product is %o, not known yet', async (id) => {
    const { rerender } = await render(<Card id={id} detail />)
    expect(gateway.opened).toBe(0)
    rerender(page(<Card id="p1" detail />))
    await pass()
    expect([...gateway.joined]).toEqual(['p1'])
  })

  it('leaves when its element goes away although the component stays', async () => {
    function Collapsing({ isOpen }: { isOpen: boolean }) {
      const { ref } = useProductWebSocket({ productId: 'p1' })
      return isOpen ? <p ref={ref} data-testid="p1" /> : null
    }
    const { rerender } = await render(<Collapsing isOpen />)
    scroll('p1', true)
    await pass()
    rerender(page(<Collapsing isOpen={false} />))
    await pass(LINGER_MS * 2)
    expect(gateway.joined.size).toBe(0)
  })

  it('watches with the threshold and the margin of the plan, unless told otherwise', async () => {
    function Wide() {
      const { ref } = useProductWebSocket({ productId: 'p2', intersectionOptions: { rootMargin: '200px' } })
      return <p ref={ref} />
    }
    await render([<Card key="1" id="p1" />, <Wide key="2" />])
    const options = vi.mocked(IntersectionObserver).mock.calls.map((call) => call[1])
    expect(options).toContainEqual(expect.objectContaining({ threshold: 0.1, rootMargin: '50px' }))
    expect(options).toContainEqual(expect.objectContaining({ threshold: 0.1, rootMargin: '200px' }))
  })

  it('takes everything for in view where nobody can tell', async () => {
    destroyIntersectionMocking()
    vi.stubGlobal('IntersectionObserver', undefined)
    function NoElement() {
      useProductWebSocket({ productId: 'p2' })
      return null
    }
    const { unmount } = await render([<Card key="1" id="p1" />, <NoElement key="2" />])
    expect([...gateway.joined].sort()).toEqual(['p1', 'p2'])
    unmount()
    await pass(LINGER_MS * 2)
    expect(gateway.joined.size).toBe(0)
  })

  it('tells the gateway how old the data on screen is', async () => {
    const fetchedAt = Date.now() - 60_000
    client.setQueryData(['products'], [{ id: 'p1' }], { updatedAt: fetchedAt })
    await render(<Card id="p1" />)
    scroll('p1', true)
    await pass()
    const [join] = gateway.calls
    const since = join?.type === 'join' ? Date.parse(join.since.p1 ?? '') : 0
    expect(since).toBeLessThanOrEqual(fetchedAt)
    expect(since).toBeGreaterThan(fetchedAt - 31_000)
  })
})

describe('a product page', () => {
  it('stays subscribed wherever it is scrolled, and is the active detail product', async () => {
    const { rerender } = await render(<Card id="p1" detail />)
    expect([...gateway.joined]).toEqual(['p1'])
    expect([...sync.roles.get('detail')]).toEqual(['p1'])
    scroll('p1', true)
    scroll('p1', false)
    await pass(LINGER_MS * 2)
    expect([...gateway.joined]).toEqual(['p1'])
    rerender(page(<Card id="p2" detail />))
    await pass(LINGER_MS * 2)
    expect([...gateway.joined]).toEqual(['p2'])
    rerender(page(null))
    await pass(LINGER_MS * 2)
    expect([sync.roles.get('detail').size, gateway.joined.size]).toEqual([0, 0])
  })

  it('is still one when a second component of the same product goes away', async () => {
    const { rerender } = await render([
      <Card key="page" id="p1" detail />,
      <Card key="quick" id="p1" detail />,
    ])
    rerender(page([<Card key="page" id="p1" detail />]))
    await pass(LINGER_MS * 2)
    expect([...sync.roles.get('detail')]).toEqual(['p1'])
  })
})

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

describe('useCartSync', () => {
  function Cart(props: Parameters<typeof useCartSync>[0]) {
    useCartSync(props)
    return null
  }
  const cart = (...ids: string[]) => ({ lines: ids.map((productId) => ({ productId, quantity: 1 })) })
  const inCart = () => [...sync.roles.get('cart')].sort()

  it('follows what is in the cart, as it changes', async () => {
    client.setQueryData(['cart'], cart('p1'))
    const { unmount } = await render(<Cart />)
    expect([inCart(), [...gateway.joined]]).toEqual([['p1'], ['p1']])
    client.setQueryData(['cart'], cart('p1', 'p2'))
    await pass()
    expect([inCart(), [...gateway.joined]]).toEqual([
      ['p1', 'p2'],
      ['p1', 'p2'],
    ])
    client.removeQueries({ queryKey: ['cart'] })
    await pass()
    expect(inCart()).toEqual([])
    unmount()
    await pass(LINGER_MS * 2)
    expect(gateway.joined.size).toBe(0)
  })

  it('fetches nothing by itself, and keeps nothing in the cache', async () => {
    client.setQueryData(['cart'], cart('p1'))
    await render(<Cart />)
    expect(
      client
        .getQueryCache()
        .find({ queryKey: ['cart'] })
        ?.getObserversCount(),
    ).toBe(0)
  })

  it('reads a cart of any shape with the function of the shop', async () => {
    client.setQueryData(['cart'], { bags: ['p1', 'p2'] })
    await render(<Cart productIds={(data) => (data as { bags: string[] }).bags} />)
    expect(inCart()).toEqual(['p1', 'p2'])
  })

  it('takes the products of a cart that is not in the query cache', async () => {
    const { rerender } = await render(<Cart productIds={['p1']} />)
    expect(inCart()).toEqual(['p1'])
    rerender(page(<Cart productIds={['p2']} />))
    await pass()
    expect(inCart()).toEqual(['p2'])
    rerender(page(<Cart productIds={['p2']} enabled={false} />))
    await pass()
    expect(inCart()).toEqual([])
  })

  it('fetches the cart when one of its products changes, whatever is on screen', async () => {
    const fetched = vi.fn(async () => cart('p1'))
    function CartIcon() {
      useQuery({ queryKey: ['cart'], queryFn: fetched })
      useCartSync()
      return null
    }
    await render(<CartIcon />)
    gateway.deliver('p1')
    await pass(1_000)
    expect(fetched).toHaveBeenCalledTimes(2)
  })
})

describe('useCheckoutSync', () => {
  function Checkout({ productIds }: { productIds: string[] }) {
    useCheckoutSync({ productIds })
    return null
  }

  it('fetches the changes of its products at once, and no more once it is gone', async () => {
    client.setQueryData(['checkout'], 4_200)
    const state = () => client.getQueryState(['checkout'])
    const { rerender } = await render(<Checkout productIds={['p1']} />)
    gateway.deliver('p1')
    await pass(0)
    expect(state()?.isInvalidated).toBe(true)
    client.setQueryData(['checkout'], 4_300)
    rerender(page(<Card id="p1" detail />))
    await pass()
    gateway.deliver('p1')
    await pass(5_000)
    expect(state()?.isInvalidated).toBe(false)
  })

  it('takes a new array of the same products for no change', async () => {
    const { rerender } = await render(<Checkout productIds={['p1', 'p2']} />)
    const changed = vi.fn()
    sync.roles.onChange(changed)
    rerender(page(<Checkout productIds={['p2', 'p1']} />))
    await pass()
    expect(changed).not.toHaveBeenCalled()
  })
})

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
    expect(joins()).toBe(1)
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
