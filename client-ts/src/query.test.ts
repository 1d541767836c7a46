// @vitest-environment happy-dom
import { onlineManager, QueryClient, type QueryKey } from '@tanstack/react-query'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { QUIET, show as showIn } from '../test/support/shown.js'
import type { ProductSync, ProductSyncEvent } from './options.js'
import { createProductSync } from './product-sync.js'
import { bindQueryClient, dataSince, type QueryBindingOptions } from './query.js'
import { type FakeTransport, fakeTransport } from './testing.js'
import type { ProductEvent } from './types.js'

let client: QueryClient
let gateway: FakeTransport
let sync: ProductSync
let told: ProductSyncEvent[]
let stop: () => void

beforeEach(() => {
  vi.useFakeTimers()
  client = new QueryClient(QUIET)
  gateway = fakeTransport()
  told = []
  sync = createProductSync({ transport: gateway, random: () => 0.5, onEvent: (event) => told.push(event) })
})
afterEach(() => {
  stop?.()
  sync.dispose()
  client.clear()
  seen(true)
  vi.useRealTimers()
})

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms)
const state = (queryKey: QueryKey) => client.getQueryState(queryKey)
const show = (queryKey: QueryKey, answer?: (nth: number) => unknown, tookMs?: number) =>
  showIn(client, queryKey, answer, tookMs)
const product = (id: string | number) => () => ({ id, name: 'Shoe' })
const list =
  (...ids: (string | number)[]) =>
  () =>
    ids.map((id) => ({ id }))

/** Binds, follows the products, and lets everything shown so far be fetched. */
async function begin(options: QueryBindingOptions = {}, productIds = ['p1', 'p2', 'p3']) {
  stop = bindQueryClient(sync, client, { random: () => 0.5, ...options })
  for (const id of productIds) sync.subscribe(id)
  await pass(10)
}

function seen(isSeen: boolean) {
  Object.defineProperty(document, 'visibilityState', {
    configurable: true,
    get: () => (isSeen ? 'visible' : 'hidden'),
  })
  document.dispatchEvent(new Event('visibilitychange', { bubbles: true }))
}

function event(productId: string, data: { action: 'created' | 'deleted' }): ProductEvent {
  return { productId, type: 'product_update', data, timestamp: new Date().toISOString() }
}

describe('from the change to the fetch', () => {
  it.each([
    ['list', ['products'], list('p1'), 1_000],
    ['detail', ['product', 'p1'], product('p1'), 500],
    ['cart', ['cart'], () => ({ lines: [{ productId: 'p1' }] }), 1_000],
  ] as const)('a %s waits exactly its window', async (_scope, queryKey, answer, windowMs) => {
    const shown = show(queryKey, answer)
    await begin()
    gateway.deliver('p1')
    await pass(windowMs - 1)
    expect(shown.begun).toBe(1)
    await pass(1)
    expect(shown.begun).toBe(2)
  })

  it.each([
    ['list', ['products'], list('p1'), 1_000],
    ['detail', ['product', 'p1'], product('p1'), 500],
    ['cart', ['cart'], () => ({ lines: [{ productId: 'p1' }] }), 1_000],
  ] as const)(
    'a %s waits its window and what is drawn from the spread',
    async (_scope, queryKey, answer, windowMs) => {
      const shown = show(queryKey, answer)
      await begin({ random: () => 0.25 })
      gateway.deliver('p1', { spreadMs: 8_000 })
      await pass(windowMs + 2_000 - 1)
      expect(shown.begun).toBe(1)
      await pass(1)
      expect(shown.begun).toBe(2)
    },
  )

  it('checkout waits for nothing, not even for a spread', async () => {
    const shown = show(['checkout'], list('p1'))
    sync.roles.set('checkout', ['p1'])
    await begin()
    gateway.deliver('p1', { spreadMs: 30_000 })
    await pass(0)
    expect(shown.begun).toBe(2)
  })

  it('takes the windows that a shop sets', async () => {
    const shown = show(['products'], list('p1'))
    await begin({ windows: { listMs: 5_000 } })
    gateway.deliver('p1')
    await pass(4_999)
    expect(shown.begun).toBe(1)
    await pass(1)
    expect(shown.begun).toBe(2)
  })
})

describe('a list', () => {
  it("is fetched only if it contains the product (defect: ['products'] stampede)", async () => {
    const x = show(['products', 'x'], list('p1'))
    const y = show(['products', 'y'], list('p9'))
    await begin()
    gateway.deliver('p1')
    await pass(2_000)
    expect([x.begun, y.begun]).toEqual([2, 1])
  })

  it("is fetched once for all products that changed (defect: ['products'] stampede)", async () => {
    const shown = show(['products'], list('p1', 'p2', 'p3'))
    await begin()
    for (const id of ['p1', 'p2', 'p3']) {
      gateway.deliver(id)
      await pass(300)
    }
    await pass(2_000)
    expect(shown.begun).toBe(2)
  })

  it('is fetched for any change when the shop says that all lists depend on it', async () => {
    const shown = show(['products', 'cheapest'], list('p9'))
    await begin({ lists: 'all' })
    gateway.deliver('p1')
    await pass(1_000)
    expect(shown.begun).toBe(2)
  })

  it.each(['created', 'deleted'] as const)(
    'is marked as stale, and not fetched, for a product that is %s',
    async (action) => {
      const shown = show(['products', 'shown'], list('p9'))
      client.setQueryData(['products', 'kept'], list('p9')())
      client.setQueryData(['product', 'p9'], product('p9')())
      await begin()
      gateway.deliver('p1', { events: [event('p1', { action })] })
      await pass(5_000)
      expect(shown.begun).toBe(1)
      expect(state(['products', 'shown'])?.isInvalidated).toBe(true)
      expect(state(['products', 'kept'])?.isInvalidated).toBe(true)
      expect(state(['product', 'p9'])?.isInvalidated).toBe(false)
    },
  )

  it('that contains a deleted product is fetched', async () => {
    const shown = show(['products'], list('p1'))
    await begin()
    gateway.deliver('p1', { events: [event('p1', { action: 'deleted' })] })
    await pass(1_000)
    expect(shown.begun).toBe(2)
  })

  it('that is just being fetched when a product is created is marked once it is there', async () => {
    show(['products'], list('p9'), 3_000)
    await begin()
    gateway.deliver('p1', { events: [event('p1', { action: 'created' })] })
    await pass(10_000)
    expect(state(['products'])).toMatchObject({ fetchStatus: 'idle', isInvalidated: true })
  })

  it('is not marked for an ordinary change of a product that it does not contain', async () => {
    show(['products'], list('p9'))
    await begin()
    gateway.deliver('p1')
    await pass(5_000)
    expect(state(['products'])?.isInvalidated).toBe(false)
  })
})

describe('a product page', () => {
  it('is found by a slug, through the id in its data', async () => {
    const shown = show(['product', 'red-shoe'], product('p1'))
    const other = show(['product', 'blue-shoe'], product('p2'))
    await begin()
    gateway.deliver('p1')
    await pass(500)
    expect([shown.begun, other.begun]).toEqual([2, 1])
  })

  it('is found whether its id is a number or a string', async () => {
    const shown = show(['product', 42], product(42))
    await begin({}, ['42'])
    gateway.deliver('42')
    await pass(500)
    expect(shown.begun).toBe(2)
  })

  it('is fetched once when lists live under the same key', async () => {
    const keys = { detail: (id: string) => ['products', id] }
    const detail = show(['products', 'p1'], product('p1'))
    const bySlug = show(['products', 'red-shoe'], product('p1'))
    const page = show(['products', { page: 1 }], () => ({ items: list('p1')() }))
    await begin({ keys })
    gateway.deliver('p1')
    await pass(500)
    expect([detail.begun, bySlug.begun, page.begun]).toEqual([2, 2, 1])
    await pass(5_000)
    expect([detail.begun, bySlug.begun, page.begun]).toEqual([2, 2, 2])
  })

  it('lives where the shop says', async () => {
    const byId = show(['shop', { sku: 'p1', locale: 'en' }], product('p1'))
    const bySlug = show(['page', 'red-shoe'], product('p1'))
    await begin({ keys: { detail: (sku) => ['shop', { sku }], detailPages: (key) => key[0] === 'page' } })
    gateway.deliver('p1')
    await pass(500)
    expect([byId.begun, bySlug.begun]).toEqual([2, 2])
  })
})

describe('no more is touched than is concerned', () => {
  it('not the session, nor other products (defect: v4 call form)', async () => {
    const session = show(['session'])
    const other = show(['product', 'p2'], product('p2'))
    const shown = show(['product', 'p1'], product('p1'))
    await begin()
    gateway.deliver('p1')
    await pass(5_000)
    expect([session.begun, other.begun, shown.begun]).toEqual([1, 1, 2])
    expect(state(['session'])?.isInvalidated).toBe(false)
  })

  it('what is not on screen is marked and not fetched', async () => {
    const shown = show(['product', 'p1'], product('p1'))
    await begin()
    shown.hide()
    gateway.deliver('p1')
    await pass(5_000)
    expect(shown.begun).toBe(1)
    expect(state(['product', 'p1'])?.isInvalidated).toBe(true)
  })
})

describe('a fetch that takes its time', () => {
  it('is followed by another if the change came during the first (defect: first-fetch loss)', async () => {
    let priceAtShop = 1
    const shown = show(['product', 'p2'], () => ({ id: 'p2', price: priceAtShop }), 2_000)
    await begin()
    priceAtShop = 2
    gateway.deliver('p2')
    await pass(10_000)
    expect(shown).toMatchObject({ begun: 2, landed: 2, aborted: 0 })
    expect(client.getQueryData(['product', 'p2'])).toEqual({ id: 'p2', price: 2 })
  })

  it('is followed by another if the first answer shows that it was concerned (defect: first-fetch loss)', async () => {
    const concerned = show(['products', 1], list('p1'), 2_000)
    const unconcerned = show(['products', 2], list('p9'), 2_000)
    const bySlug = show(['product', 'red-shoe'], product('p1'), 2_000)
    await begin()
    gateway.deliver('p1')
    await pass(20_000)
    expect([concerned.begun, unconcerned.begun, bySlug.begun]).toEqual([2, 1, 2])
  })

  it('always lands under a stream of changes, and the last begins after the last change (defect: starvation)', async () => {
    let stock = 0
    const shown = show(['product', 'p1'], () => ({ id: 'p1', stock }), 2_000)
    await begin()
    await pass(3_000)
    for (stock = 1; stock <= 100; stock += 1) {
      gateway.deliver('p1')
      await pass(200)
    }
    stock = 100
    await pass(10_000)
    expect(shown.aborted).toBe(0)
    expect(shown.landed).toBe(shown.begun)
    expect(shown.begun).toBeGreaterThanOrEqual(9)
    expect(shown.begun).toBeLessThanOrEqual(13)
    expect(client.getQueryData(['product', 'p1'])).toEqual({ id: 'p1', stock: 100 })
  })

  it('has at most one queued behind it', async () => {
    const shown = show(['products'], list('p1', 'p2'), 10_000)
    await begin()
    await pass(10_000)
    gateway.deliver('p1')
    await pass(1_500)
    for (let n = 0; n < 5; n += 1) {
      gateway.deliver('p2')
      await pass(1_000)
    }
    await pass(60_000)
    expect(shown).toMatchObject({ begun: 3, landed: 3 })
  })

  it('is followed by another also if it fails', async () => {
    let isDown = false
    const shown = show(
      ['product', 'p1'],
      () => {
        if (isDown) throw new Error('shop is down')
        return { id: 'p1' }
      },
      2_000,
    )
    await begin()
    await pass(3_000)
    isDown = true
    gateway.deliver('p1')
    await pass(600)
    gateway.deliver('p1')
    await pass(1_000)
    isDown = false
    await pass(10_000)
    expect(shown.begun).toBe(3)
    expect(state(['product', 'p1'])).toMatchObject({ status: 'success', isInvalidated: false })
  })

  it('that waits for the network is begun once, when the network is back', async () => {
    const shown = show(['product', 'p1'], product('p1'))
    await begin()
    client.mount()
    onlineManager.setOnline(false)
    for (let n = 0; n < 3; n += 1) {
      gateway.deliver('p1')
      await pass(1_000)
    }
    expect(state(['product', 'p1'])?.fetchStatus).toBe('paused')
    onlineManager.setOnline(true)
    await pass(5_000)
    client.unmount()
    expect(shown.begun).toBe(2)
  })

  it('is the one that counts if the shop itself begins it once the other has landed', async () => {
    const shown = show(['product', 'p1'], product('p1'), 1_000)
    await begin()
    gateway.deliver('p1')
    let isRefetched = false
    client.getQueryCache().subscribe((cacheEvent) => {
      if (cacheEvent.type !== 'updated' || cacheEvent.action.type !== 'success' || isRefetched) return
      isRefetched = true
      void client.refetchQueries({ queryKey: ['product', 'p1'] })
    })
    await pass(10_000)
    expect(shown).toMatchObject({ begun: 2, aborted: 0 })
  })
})

describe('a product in checkout', () => {
  it('is fetched everywhere at once, and then not again', async () => {
    const checkout = show(['checkout'], list('p1'))
    const cart = show(['cart'], list('p1'))
    const detail = show(['product', 'p1'], product('p1'))
    const products = show(['products'], list('p1'))
    sync.roles.set('checkout', ['p1'])
    await begin()
    gateway.deliver('p1')
    await pass(0)
    expect([checkout, cart, detail, products].map(({ begun }) => begun)).toEqual([2, 2, 2, 1])
    await pass(10_000)
    expect([checkout, cart, detail, products].map(({ begun }) => begun)).toEqual([2, 2, 2, 2])
  })

  it('takes along what already waited for the same product', async () => {
    const cart = show(['cart'], list('p1'))
    const detail = show(['product', 'p1'], product('p1'))
    await begin()
    gateway.deliver('p1')
    await pass(100)
    sync.roles.set('checkout', ['p1'])
    gateway.deliver('p1')
    await pass(10_000)
    expect([cart.begun, detail.begun]).toEqual([2, 2])
  })

  it('is fetched once for a word that many products must be fetched', async () => {
    const checkout = show(['checkout'], list('p1', 'p2', 'p3'), 100)
    sync.roles.set('checkout', ['p1', 'p2', 'p3'])
    await begin()
    await pass(200)
    gateway.resync({ productIds: ['p1', 'p2', 'p3'] })
    await pass(10_000)
    expect(checkout.begun).toBe(2)
  })

  it('is known by its role, whatever the shape of the data', async () => {
    const checkout = show(['checkout', 'totals'], () => 4_200)
    const cart = show(['cart'], () => 'a cart of another shape')
    sync.roles.set('checkout', ['p1'])
    sync.roles.set('cart', ['p2'])
    await begin()
    gateway.deliver('p1')
    gateway.deliver('p2')
    gateway.deliver('p3')
    await pass(5_000)
    expect([checkout.begun, cart.begun]).toEqual([2, 2])
  })
})

describe('a hidden tab', () => {
  it('only marks, and fetches when it is seen', async () => {
    const checkout = show(['checkout'], list('p1'))
    const detail = show(['product', 'p1'], product('p1'))
    const other = show(['product', 'p2'], product('p2'))
    sync.roles.set('checkout', ['p1'])
    await begin()
    seen(false)
    gateway.deliver('p1')
    await pass(5_000)
    expect([checkout.begun, detail.begun]).toEqual([1, 1])
    expect(state(['product', 'p1'])?.isInvalidated).toBe(true)
    seen(true)
    await pass(0)
    expect([checkout.begun, detail.begun, other.begun]).toEqual([2, 2, 1])
    seen(false)
    seen(true)
    await pass(5_000)
    expect([checkout.begun, detail.begun, other.begun]).toEqual([2, 2, 1])
  })

  it('does not fetch a second time what somebody else fetched meanwhile', async () => {
    const detail = show(['product', 'p1'], product('p1'))
    await begin()
    seen(false)
    gateway.deliver('p1')
    await pass(5_000)
    await client.refetchQueries({ queryKey: ['product', 'p1'] })
    seen(true)
    await pass(5_000)
    expect(detail.begun).toBe(2)
  })

  it('queues behind a fetch that was running when it was hidden', async () => {
    const detail = show(['product', 'p1'], product('p1'), 3_000)
    await begin()
    seen(false)
    gateway.deliver('p1')
    await pass(10_000)
    expect(detail.begun).toBe(1)
    seen(true)
    await pass(10_000)
    expect(detail.begun).toBe(2)
  })
})

describe('a patch', () => {
  const patch = {
    detail: (data: unknown, batch: { count: number }) => ({ ...(data as object), price: batch.count }),
  }

  it('is written in place of a fetch', async () => {
    const shown = show(['product', 'p1'], product('p1'))
    const products = show(['products'], list('p1'))
    await begin({ patch })
    gateway.deliver('p1', { count: 7 })
    gateway.deliver('p1', { count: 8 })
    await pass(5_000)
    expect([shown.begun, products.begun]).toEqual([1, 2])
    expect(client.getQueryData(['product', 'p1'])).toEqual({ id: 'p1', name: 'Shoe', price: 8 })
  })

  it.each([
    ['returns undefined', () => undefined, {}],
    [
      'throws',
      () => {
        throw new Error('a bug in the shop')
      },
      {},
    ],
    ['is given a replay', patch.detail, { replay: true }],
    ['is given a change without events', patch.detail, { events: [] }],
  ])('that %s leads to a fetch', async (_case, detail, batch) => {
    const shown = show(['product', 'p1'], product('p1'))
    await begin({ patch: { detail } })
    gateway.deliver('p1', batch)
    await pass(500)
    expect(shown.begun).toBe(2)
  })

  it('that throws is reported', async () => {
    show(['product', 'p1'], product('p1'))
    const error = new Error('a bug in the shop')
    await begin({
      patch: {
        detail: () => {
          throw error
        },
      },
    })
    gateway.deliver('p1')
    await pass(500)
    expect(told).toContainEqual({ type: 'error', error })
  })

  it('is not written over data that is owed a fetch', async () => {
    const shown = show(['product', 'p1'], product('p1'))
    await begin({ patch })
    shown.hide()
    void client.invalidateQueries({ queryKey: ['product', 'p1'], refetchType: 'none' })
    gateway.deliver('p1')
    await pass(500)
    expect(state(['product', 'p1'])).toMatchObject({ isInvalidated: true, data: { id: 'p1', name: 'Shoe' } })
  })

  it('is never written in checkout', async () => {
    const shown = show(['product', 'p1'], product('p1'))
    sync.roles.set('checkout', ['p1'])
    await begin({ patch })
    gateway.deliver('p1')
    await pass(0)
    expect(shown.begun).toBe(2)
    expect(client.getQueryData(['product', 'p1'])).toEqual({ id: 'p1', name: 'Shoe' })
  })
})

describe('a word to refetch', () => {
  it('is spread like a change, and marks the other lists, which may have lost or won products', async () => {
    const detail = show(['product', 'p1'], product('p1'))
    show(['products', 'other'], list('p9'))
    await begin({ random: () => 0.5 })
    gateway.resync({ reason: 'slow', productIds: ['p1'], spreadMs: 4_000 })
    await pass(2_499)
    expect(detail.begun).toBe(1)
    await pass(1)
    expect(detail.begun).toBe(2)
    await pass(5_000)
    expect(state(['products', 'other'])?.isInvalidated).toBe(true)
  })
})

describe('a stopped binding', () => {
  it('fetches no more, but what waited is marked, so that nothing is lost', async () => {
    const shown = show(['product', 'p1'], product('p1'))
    const other = show(['product', 'p2'], product('p2'))
    await begin()
    gateway.deliver('p1')
    stop()
    stop()
    gateway.deliver('p2')
    await pass(5_000)
    expect([shown.begun, other.begun]).toEqual([1, 1])
    expect(state(['product', 'p1'])?.isInvalidated).toBe(true)
    expect(state(['product', 'p2'])?.isInvalidated).toBe(false)
  })

  it('marks what is queued behind a running fetch', async () => {
    show(['product', 'p1'], product('p1'), 3_000)
    await begin()
    gateway.deliver('p1')
    await pass(1_000)
    stop()
    await pass(10_000)
    expect(state(['product', 'p1'])).toMatchObject({ fetchStatus: 'idle', isInvalidated: true })
  })
})

describe('how old the data is', () => {
  it('is told by the oldest data that shows the product', () => {
    client.setQueryData(['product', 'p1'], product('p1')(), { updatedAt: 3_000 })
    client.setQueryData(['products', 1], list('p1')(), { updatedAt: 2_000 })
    client.setQueryData(['products', 2], list('p9')(), { updatedAt: 1_000 })
    expect(dataSince(client, 'p1')).toBe(2_000)
    expect(dataSince(client, 'p7')).toBeUndefined()
  })

  it('leaves out data that is marked as stale, because it is fetched before it is relied on', () => {
    client.setQueryData(['products'], list('p1')(), { updatedAt: 1_000 })
    void client.invalidateQueries({ queryKey: ['products'], refetchType: 'none' })
    expect(dataSince(client, 'p1')).toBeUndefined()
  })
})

describe('the products in use', () => {
  it('are subscribed with the age of their data, and left when they are no longer in use', async () => {
    client.setQueryData(['cart'], list('p1', 'p2')(), { updatedAt: 1_000 })
    const subscribe = vi.spyOn(sync, 'subscribe')
    sync.roles.set('cart', ['p1', 'p2'])
    await begin({}, [])
    expect(
      subscribe.mock.calls.map(([id, subscriber]) => [id, subscriber?.why, subscriber?.since?.()]),
    ).toEqual([
      ['p1', 'cart', 1_000],
      ['p2', 'cart', 1_000],
    ])
    sync.roles.set('cart', ['p2'])
    await pass(10_000)
    expect([...gateway.joined]).toEqual(['p2'])
  })
})

describe("a function of the shop's that throws", () => {
  it('counts as having said nothing, is reported once, and keeps nothing else from being fetched', async () => {
    const shown = show(['product', 'p1'], product('p1'))
    const products = show(['products'], list('p1'))
    await begin({
      keys: { list: (key) => (key[1] as string).startsWith('page') },
      productIds: (data) => (data as { shelves: string[] }).shelves.map((id) => id),
    })
    for (const id of ['p1', 'p2']) {
      gateway.deliver(id)
      await pass(5_000)
    }
    expect([shown.begun, products.begun]).toEqual([2, 1])
    expect(told.filter(({ type }) => type === 'error')).toHaveLength(2)
  })
})

it('tells what it fetched', async () => {
  show(['products'], list('p1', 'p2'))
  await begin()
  gateway.deliver('p1')
  gateway.deliver('p2')
  await pass(1_000)
  expect(told.filter(({ type }) => type === 'flush')).toEqual([
    { type: 'flush', scope: 'list', productIds: ['p1', 'p2'], fetched: 1 },
  ])
})
