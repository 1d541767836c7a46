import { describe, expect, it, vi } from 'vitest'
import {
  begin,
  client,
  gateway,
  list,
  pass,
  product,
  show,
  state,
  stop,
  sync,
  told,
} from '../test/support/bound.js'
import { dataSince } from './query.js'

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
