import { describe, expect, test, vi } from 'vitest'
import { cursors, joins, listener, START, start, useFakeTime } from '../test/support/fake-sync.js'

useFakeTime()

describe('since when', () => {
  test('what changed between the fetch on a server and the join is caught up with', async () => {
    const { gateway, sync } = start()
    const change = gateway.miss('p1')
    await vi.advanceTimersByTimeAsync(60_000)
    const card = listener(() => START - 1_000)
    sync.subscribe('p1', card)
    await gateway.settled()
    expect(joins(gateway)).toEqual([{ type: 'join', since: { p1: '2026-01-01T11:59:57.000Z' } }])
    expect(cursors(card.heard)).toEqual([change.cursor])
  })

  test("the browser's clock is turned into the gateway's", async () => {
    const { gateway, sync } = start({}, { greets: false })
    sync.subscribe('p1', { since: () => START - 60_000 })
    await gateway.settled()
    gateway.greet({ serverTimeMs: START + 3_600_000 })
    expect(joins(gateway)[0]?.since).toEqual({ p1: '2026-01-01T12:58:58.000Z' })
  })

  test('without a time of the gateway it asks from half a minute earlier', async () => {
    const { gateway, sync } = start({}, { greets: false })
    sync.subscribe('p1', { since: () => START })
    await gateway.settled()
    gateway.send('onBatch', {}) // nothing of the sort may come before; it harms nothing
    gateway.greet({ serverTimeMs: undefined } as never)
    expect(joins(gateway)[0]?.since).toEqual({ p1: '2026-01-01T11:59:30.000Z' })
  })

  test('a card that scrolls back asks from where it left', async () => {
    const { gateway, sync } = start()
    sync.subscribe('other')
    const stop = sync.subscribe('p1')
    await gateway.settled()
    gateway.deliver('p1')
    stop()
    await vi.advanceTimersByTimeAsync(5_000)
    expect(gateway.joined.has('p1')).toBe(false)
    const missed = gateway.deliver('p1')
    const card = listener(() => Date.now())
    sync.subscribe('p1', card)
    await gateway.settled()
    expect(joins(gateway).at(-1)?.since).toEqual({ p1: 'test0000.1' })
    expect(cursors(card.heard)).toEqual([missed.cursor])
  })

  test('a newcomer with data older than what was told asks for it, one with fresh data does not', async () => {
    const { gateway, sync } = start()
    sync.subscribe('p1')
    await gateway.settled()
    await vi.advanceTimersByTimeAsync(60_000)
    const told = gateway.deliver('p1')
    await vi.advanceTimersByTimeAsync(10_000)
    const fresh = listener(() => Date.now() - 1_000)
    sync.subscribe('p1', fresh)
    await gateway.settled()
    expect(joins(gateway)).toHaveLength(1)
    const stale = listener(() => START + 30_000)
    sync.subscribe('p1', stale)
    await gateway.settled()
    expect(joins(gateway).at(-1)?.since).toEqual({ p1: '2026-01-01T12:00:28.000Z' })
    expect(cursors(stale.heard)).toEqual([told.cursor])
  })

  test.each([0, Number.NaN, Number.POSITIVE_INFINITY])('%s is no time at all', async (never) => {
    const { gateway, sync } = start()
    sync.subscribe('p1', { since: () => never })
    await gateway.settled()
    expect(joins(gateway)[0]?.since).toEqual({ p1: null })
  })

  test('a since that throws is reported, and then the product is joined from now on', async () => {
    const { gateway, sync, events } = start()
    sync.subscribe('p1', {
      since() {
        throw new Error('a bug of the shop')
      },
    })
    await gateway.settled()
    expect(joins(gateway)[0]?.since).toEqual({ p1: null })
    expect(events.some((event) => event.type === 'error')).toBe(true)
  })
})

describe('refusals', () => {
  test('are reported once, with the reason the gateway gave, and not tried again on this connection', async () => {
    const { gateway, sync, events } = start(
      {},
      {
        answer: (since) => {
          const productId = [...since.keys()][0] ?? ''
          gateway.refuse({ code: 'too_many_products', message: '200 at most', productId })
          return { results: new Map([[productId, 'too_many_products']]) }
        },
      },
    )
    sync.subscribe('p1')
    await gateway.settled()
    expect(events.filter((event) => event.type === 'refused')).toEqual([
      { type: 'refused', code: 'too_many_products', message: '200 at most', productId: 'p1' },
    ])
    await vi.advanceTimersByTimeAsync(60_000)
    expect(joins(gateway)).toHaveLength(1)
    gateway.drop()
    await vi.advanceTimersByTimeAsync(2_500)
    expect(joins(gateway)).toHaveLength(2)
  })

  test('for asking too fast are tried again, later each time', async () => {
    let isBusy = true
    const { gateway, sync } = start(
      {},
      {
        answer: (since) => ({
          cursor: 'test0000.0',
          results: new Map([...since.keys()].map((id) => [id, isBusy ? 'rate_limited' : 'joined'])),
        }),
      },
    )
    sync.subscribe('p1')
    await gateway.settled()
    await vi.advanceTimersByTimeAsync(1_000)
    expect(joins(gateway)).toHaveLength(2)
    await vi.advanceTimersByTimeAsync(1_999)
    expect(joins(gateway)).toHaveLength(2)
    isBusy = false
    await vi.advanceTimersByTimeAsync(1)
    expect(joins(gateway)).toHaveLength(3)
    expect(sync.inspect()[0]?.state).toBe('joined')
  })

  test('for asking too fast leave no timer behind', async () => {
    const answer = (since: ReadonlyMap<string, unknown>) => ({
      results: new Map([...since.keys()].map((id) => [id, 'rate_limited'])),
    })
    const { gateway, sync } = start({}, { answer })
    sync.subscribe('p1')
    await gateway.settled()
    sync.subscribe('p2')
    await gateway.settled()
    await vi.advanceTimersByTimeAsync(1_000)
    expect(joins(gateway).at(-1)?.since).toEqual({ p1: null, p2: null })
    sync.dispose()
    expect(vi.getTimerCount()).toBe(0)
  })

  test('of other kinds are reported', async () => {
    const { gateway, sync, events } = start()
    sync.subscribe('p1')
    await gateway.settled()
    gateway.refuse({ code: 'rate_limited', message: 'slow down' })
    expect(events.at(-1)).toEqual({
      type: 'refused',
      code: 'rate_limited',
      message: 'slow down',
      productId: undefined,
    })
  })
})
