import { describe, expect, test, vi } from 'vitest'
import { cursors, joins, listener, start, useFakeTime } from '../test/support/fake-sync.js'
import type { FakeTransportOptions } from './testing.js'

useFakeTime()

describe('nothing is missed', () => {
  test('a hole before a batch: the batch is told, and what is missing is asked for from the old place', async () => {
    const { gateway, sync, events } = start()
    const card = listener()
    sync.subscribe('p1', card)
    await gateway.settled()
    gateway.deliver('p1')
    const lost = gateway.miss('p1')
    const after = gateway.deliver('p1')
    expect(cursors(card.heard)).toEqual(['test0000.1', after.cursor])
    expect(events.find((event) => event.type === 'hole')).toEqual({
      type: 'hole',
      productId: 'p1',
      from: 'test0000.1',
      to: lost.cursor,
    })
    await gateway.settled()
    expect(joins(gateway).at(-1)).toEqual({ type: 'join', since: { p1: 'test0000.1' } })
    expect(cursors(card.heard)).toContain(lost.cursor)
  })

  test('a hole stays one when the connection is lost before the answer', async () => {
    const { gateway, sync } = start({}, { answer: unanswered(1) })
    sync.subscribe('p1')
    await gateway.settled()
    gateway.miss('p1')
    gateway.deliver('p1')
    await gateway.settled()
    gateway.drop()
    await vi.advanceTimersByTimeAsync(2_500)
    expect(joins(gateway).map((call) => call.since)).toEqual([
      { p1: null },
      { p1: 'test0000.0' },
      { p1: 'test0000.0' },
    ])
  })

  test('a loss at the very end is found by the next position', async () => {
    const { gateway, sync } = start()
    const card = listener()
    sync.subscribe('p1', card)
    sync.subscribe('p2')
    await gateway.settled()
    const lost = gateway.miss('p1')
    gateway.beat({ products: { p1: lost.cursor } })
    await gateway.settled()
    expect(joins(gateway).at(-1)).toEqual({ type: 'join', since: { p1: 'test0000.0' } })
    expect(cursors(card.heard)).toEqual([lost.cursor])
  })

  test('a position moves every joined product, so that a quiet one is not asked about from long ago', async () => {
    const { gateway, sync } = start()
    sync.subscribe('quiet')
    sync.subscribe('busy')
    await gateway.settled()
    const { cursor } = gateway.deliver('busy')
    gateway.beat({ products: { busy: cursor } })
    gateway.drop()
    await vi.advanceTimersByTimeAsync(2_500)
    expect(joins(gateway).at(-1)).toEqual({ type: 'join', since: { quiet: cursor, busy: cursor } })
  })

  test('a duplicate is dropped', async () => {
    const { gateway, sync, events } = start()
    const card = listener()
    sync.subscribe('p1', card)
    await gateway.settled()
    const batch = gateway.deliver('p1')
    gateway.send('onBatch', batch)
    expect(card.heard).toHaveLength(1)
    expect(events.at(-1)).toEqual({ type: 'duplicate', productId: 'p1', cursor: batch.cursor })
  })

  test('a word to refetch is told once to each who follows what it names', async () => {
    const { gateway, sync } = start()
    const [p1, p2] = [listener(), listener()]
    sync.subscribe('p1', p1)
    sync.subscribe('p2', p2)
    await gateway.settled()
    gateway.resync({ productIds: ['p2', 'left long ago'], reason: 'slow', spreadMs: 300 })
    expect(p1.heard).toEqual([])
    expect(p2.heard).toEqual([{ kind: 'resync', productId: 'p2', reason: 'slow', spreadMs: 300 }])
    gateway.resync({ reason: 'log_reset' })
    expect(p1.heard).toHaveLength(1)
    expect(p2.heard).toHaveLength(2)
  })

  test('history that changed while away is told once, although answer and word both say so', async () => {
    const { gateway, sync } = start()
    const card = listener()
    sync.subscribe('p1', card)
    await gateway.settled()
    gateway.drop()
    gateway.resetLog('other000')
    await vi.advanceTimersByTimeAsync(2_500)
    expect(card.heard).toEqual([{ kind: 'resync', productId: 'p1', reason: 'log_reset', spreadMs: 0 }])
    gateway.deliver('p1')
    expect(cursors(card.heard)).toEqual(['other000.1'])
  })

  test('an answer to refetch counts without the word', async () => {
    const answer = () => ({ cursor: 'test0000.0', results: new Map([['p1', 'resync_required']]) })
    const { gateway, sync } = start({}, { answer })
    const card = listener()
    sync.subscribe('p1', card)
    await gateway.settled()
    expect(card.heard).toEqual([{ kind: 'resync', productId: 'p1', reason: 'gap', spreadMs: 0 }])
  })

  test('an older gateway that answers nothing makes its listeners refetch', async () => {
    const answer = () => ({ results: new Map([['p1', 'unanswered']]) })
    const { gateway, sync } = start({}, { answer })
    const card = listener()
    sync.subscribe('p1', card)
    await gateway.settled()
    expect(card.heard).toMatchObject([{ kind: 'resync', reason: 'unanswered' }])
  })

  test('resync tells everything that is followed, also without a connection', async () => {
    const { gateway, sync } = start()
    const card = listener()
    sync.subscribe('p1', card)
    await gateway.settled()
    gateway.drop()
    sync.resync()
    expect(card.heard).toEqual([{ kind: 'resync', productId: 'p1', reason: 'requested', spreadMs: 0 }])
  })
})

describe('what cannot be read', () => {
  test.each([
    ['onBatch', 'batched_product_update', null],
    ['onBatch', 'batched_product_update', { productId: 'p1', events: 'many', timestamp: '' }],
    ['onResync', 'resync_required', { productIds: 'p1' }],
    ['onPosition', 'position', { products: {} }],
    ['onRefusal', 'error', 'no'],
  ] as const)('%s: is reported and dropped', async (handler, name, payload) => {
    const { gateway, sync, events } = start()
    const card = listener()
    sync.subscribe('p1', card)
    await gateway.settled()
    gateway.send(handler, payload)
    expect(events.at(-1)).toMatchObject({ type: 'malformed', name })
    expect(card.heard).toEqual([])
    gateway.deliver('p1')
    expect(cursors(card.heard)).toHaveLength(1)
  })
})

/** From the log, except for the join number `which` (counted from 0), which is never answered. */
function unanswered(which: number): NonNullable<FakeTransportOptions['answer']> {
  let join = -1
  return (since) => {
    join += 1
    if (join === which) return new Promise(() => {})
    return { cursor: 'test0000.0', results: new Map([...since.keys()].map((id) => [id, 'joined'])) }
  }
}
