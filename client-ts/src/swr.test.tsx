// @vitest-environment happy-dom
import { cleanup, screen } from '@testing-library/react'
import type { ReactNode } from 'react'
import {
  destroyIntersectionMocking,
  mockIsIntersecting,
  setupIntersectionMocking,
} from 'react-intersection-observer/test-utils'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { setSeen } from '../test/support/seen.js'
import { pass, shownSwr, swrPage } from '../test/support/shown-swr.js'
import type { ProductSync } from './options.js'
import { createProductSync } from './product-sync.js'
import {
  bindSwr,
  ProductSyncProvider,
  type SwrBindingOptions,
  useCartSync,
  useCheckoutSync,
  useProductWebSocket,
} from './swr.js'
import { type FakeTransport, fakeTransport } from './testing.js'

let gateway: FakeTransport
let sync: ProductSync
let stop: () => void
let swr: ReturnType<typeof swrPage>

beforeEach(() => {
  vi.useFakeTimers()
  setupIntersectionMocking(vi.fn)
  gateway = fakeTransport()
  sync = createProductSync({ transport: gateway })
  swr = swrPage()
  stop = () => {}
})
afterEach(() => {
  stop()
  cleanup()
  sync.dispose()
  setSeen(true)
  destroyIntersectionMocking()
  vi.useRealTimers()
})

const product = (id: string) => () => ({ id })
const list =
  (...ids: string[]) =>
  () =>
    ids.map((id) => ({ id }))

/** Shows all of it, binds the cache, follows the products, and lets everything be fetched. */
async function begin(shown: ReturnType<typeof shownSwr>[], options: SwrBindingOptions = {}, loadMs = 10) {
  swr.renderPage(shown.map(({ Shown }, n) => <Shown key={n} id={`shown-${n}`} />))
  await pass(loadMs)
  stop = bindSwr(sync, swr.swr(), { random: () => 0.5, ...options })
  for (const id of ['p1', 'p2', 'p3']) sync.subscribe(id)
  await pass()
}

describe('from the change to the fetch', () => {
  it.each([
    ['list', ['products'], list('p1'), 1_000],
    ['detail', ['product', 'p1'], product('p1'), 500],
    ['cart', ['cart'], () => ({ lines: [{ productId: 'p1' }] }), 1_000],
  ] as const)(
    'a %s waits exactly its window, and what is drawn from the spread',
    async (_scope, key, answer, windowMs) => {
      const { asked, Shown } = shownSwr(key, answer)
      await begin([{ asked, Shown }])
      gateway.deliver('p1')
      await pass(windowMs - 1)
      expect(asked.begun).toBe(1)
      await pass(1)
      expect(asked.begun).toBe(2)
      await pass(1_000)
      gateway.deliver('p1', { spreadMs: 4_000 })
      await pass(windowMs + 1_999)
      expect(asked.begun).toBe(2)
      await pass(1)
      expect(asked.begun).toBe(3)
    },
  )

  it('checkout waits for nothing', async () => {
    const shown = shownSwr(['checkout'], () => 4_200)
    sync.roles.set('checkout', ['p1'])
    await begin([shown])
    gateway.deliver('p1', { spreadMs: 30_000 })
    await pass(0)
    expect(shown.asked.begun).toBe(2)
  })
})

describe('what is fetched', () => {
  it('is what shows the product, once for all that changed', async () => {
    const [x, y, other, session] = [
      shownSwr(['products', 'x'], list('p1', 'p2')),
      shownSwr(['products', 'y'], list('p9')),
      shownSwr(['product', 'p9'], product('p9')),
      shownSwr('session'),
    ]
    await begin([x, y, other, session])
    gateway.deliver('p1')
    gateway.deliver('p2')
    await pass(5_000)
    expect([x, y, other, session].map(({ asked }) => asked.begun)).toEqual([2, 1, 1, 1])
  })

  it('may have keys that are addresses', async () => {
    const [detail, bySlug, page, archive] = [
      shownSwr('/api/products/p1', product('p1')),
      shownSwr('/api/products/red-shoe', product('p1')),
      shownSwr('/api/products?page=1', () => ({ items: list('p1')() })),
      shownSwr('/api/products-archive', list('p1')),
    ]
    const keys = { detail: (id: string) => `/api/products/${id}`, list: '/api/products' }
    await begin([detail, bySlug, page, archive], { keys })
    gateway.deliver('p1')
    await pass(5_000)
    expect([detail, bySlug, page, archive].map(({ asked }) => asked.begun)).toEqual([2, 2, 2, 1])
  })

  it('lands also when the shop is slow and changes come all the time (defect: starvation)', async () => {
    let stock = 0
    const shown = shownSwr(['product', 'p1'], () => ({ id: 'p1', stock }), 2_000)
    await begin([shown], {}, 3_000)
    for (stock = 1; stock < 100; stock += 1) {
      gateway.deliver('p1')
      await pass(200)
    }
    gateway.deliver('p1')
    await pass(10_000)
    expect(shown.asked.landed).toBe(shown.asked.begun)
    expect(shown.asked.begun).toBeGreaterThanOrEqual(9)
    expect(shown.asked.begun).toBeLessThanOrEqual(13)
    expect(screen.getByTestId('shown-0').textContent).toBe(JSON.stringify({ id: 'p1', stock: 100 }))
  })

  it('includes the change that came while it was being fetched', async () => {
    let stock = 1
    const shown = shownSwr(['product', 'p1'], () => ({ id: 'p1', stock }), 5_000)
    await begin([shown], {}, 6_000)
    gateway.deliver('p1')
    await pass(1_000)
    stock = 2
    gateway.deliver('p1')
    await pass(20_000)
    expect(shown.asked.begun).toBe(3)
    expect(screen.getByTestId('shown-0').textContent).toBe(JSON.stringify({ id: 'p1', stock: 2 }))
  })

  it('is fetched again when the change came during the first fetch (defect: first-fetch loss)', async () => {
    const shown = shownSwr(['product', 'p1'], (nth) => ({ id: 'p1', nth }), 3_000)
    await begin([shown])
    gateway.deliver('p1')
    await pass(10_000)
    expect(screen.getByTestId('shown-0').textContent).toBe(JSON.stringify({ id: 'p1', nth: 2 }))
  })

  it('is nothing any more after the stop', async () => {
    const shown = shownSwr(['product', 'p1'], product('p1'))
    await begin([shown])
    gateway.deliver('p1')
    stop()
    stop()
    await pass(5_000)
    expect(shown.asked.begun).toBe(1)
  })

  it('waits, in a hidden tab, until it is seen', async () => {
    const shown = shownSwr(['product', 'p1'], product('p1'))
    await begin([shown])
    setSeen(false)
    gateway.deliver('p1')
    gateway.deliver('p1')
    await pass(5_000)
    expect(shown.asked.begun).toBe(1)
    setSeen(true)
    await pass(5_000)
    expect(shown.asked.begun).toBe(2)
  })
})

describe('the hooks', () => {
  const inProvider = (children: ReactNode) => (
    <ProductSyncProvider sync={sync}>{children}</ProductSyncProvider>
  )

  function Card({ id, detail = false }: { id: string; detail?: boolean }) {
    const { ref } = useProductWebSocket({ productId: id, isDetailPage: detail })
    return <article ref={ref} data-testid={id} />
  }

  it('follow what is in view, and fetch it', async () => {
    const { asked, Shown } = shownSwr(['products'], list('p1', 'p2'))
    swr.renderPage(inProvider([<Shown key="list" />, <Card key="1" id="p1" />, <Card key="2" id="p2" />]))
    await pass()
    mockIsIntersecting(screen.getByTestId('p1'), true)
    await pass()
    expect([...gateway.joined]).toEqual(['p1'])
    gateway.deliver('p1')
    await pass(1_000)
    expect(asked.begun).toBe(2)
  })

  it('ask for what changed since the component came, and since the last fetch after that', async () => {
    const { Shown } = shownSwr(['products'], list('p1'))
    swr.renderPage(inProvider([<Shown key="list" />, <Card key="1" id="p1" />]))
    await pass()
    const subscribe = vi.spyOn(sync, 'subscribe')
    const cameAt = Date.now()
    mockIsIntersecting(screen.getByTestId('p1'), true)
    const since = subscribe.mock.calls[0]?.[1]?.since
    expect(since?.()).toBeGreaterThan(cameAt - 100)
    await pass(60_000)
    expect(since?.()).toBeLessThanOrEqual(cameAt)
    gateway.deliver('p1')
    await pass(1_000)
    expect(since?.()).toBe(Date.now())
  })

  it('follow the products in use', async () => {
    function InUse() {
      useCartSync({ productIds: ['p2'] })
      useCheckoutSync({ productIds: ['p3'] })
      return <Card id="p1" detail />
    }
    const { rerender } = swr.renderPage(inProvider(<InUse />))
    await pass()
    expect([...gateway.joined].sort()).toEqual(['p1', 'p2', 'p3'])
    rerender(swr.page(inProvider(null)))
    await pass(5_000)
    expect(gateway.joined.size).toBe(0)
  })
})
