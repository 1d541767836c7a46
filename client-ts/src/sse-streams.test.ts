import { describe, expect, test, vi } from 'vitest'
import { useFakeTime } from '../test/support/fake-sync.js'
import type { StreamPlan } from './sse-plan.js'
import type { StreamListeners } from './sse-stream.js'
import { createStreams } from './sse-streams.js'
import type { JoinAnswer } from './transport.js'

useFakeTime()

interface Opened extends StreamPlan, StreamListeners {
  isClosed: boolean
  /** The gateway says how far this stream is. */
  reach(cursor: string, products?: Record<string, string>): void
}

function start() {
  const opened: Opened[] = []
  const handlers = {
    onOpen: vi.fn(),
    onBatch: vi.fn(),
    onResync: vi.fn(),
    onPosition: vi.fn(),
    onRefusal: vi.fn(),
    onClose: vi.fn(),
  }
  const onEnd = vi.fn()
  const connection = createStreams({
    handlers,
    onEnd,
    onHeard: vi.fn(),
    open(plan, listeners) {
      const stream: Opened = {
        ...plan,
        ...listeners,
        isClosed: false,
        reach: (cursor, products = {}) =>
          listeners.onMessage({ name: 'position', id: cursor, payload: { cursor, products } }),
      }
      opened.push(stream)
      return () => {
        stream.isClosed = true
      }
    },
  })
  return {
    connection,
    handlers,
    onEnd,
    opened,
    open: () => opened.filter((stream) => !stream.isClosed).map((stream) => stream.productIds.join(' ')),
    join(since: Record<string, string | null>) {
      const answer: { value?: JoinAnswer } = {}
      void connection.join(new Map(Object.entries(since))).then((value) => {
        answer.value = value
      })
      return answer
    },
  }
}

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms)

describe('joining', () => {
  test('opens one stream for all that join in one moment, and answers when it has caught up', async () => {
    const { opened, join } = start()
    const [first, second] = [join({ p1: null }), join({ p2: null })]
    await pass(0)
    expect(opened).toMatchObject([{ productIds: ['p1', 'p2'], from: null }])
    expect(first.value).toBeUndefined()
    opened[0]?.reach('aaaa.5')
    await pass(0)
    expect(first.value?.cursor).toBe('aaaa.5')
    expect(second.value?.results.get('p2')).toBe('joined')
  })

  test('later opens a stream for what is new, and then one takes over from both', async () => {
    const { opened, open, join } = start()
    join({ p1: null })
    await pass(0)
    opened[0]?.reach('aaaa.5')
    const answer = join({ p2: 'aaaa.2' })
    await pass(299)
    expect(open()).toEqual(['p1'])
    await pass(1)
    expect(opened[1]).toMatchObject({ productIds: ['p2'], from: 'aaaa.2' })
    opened[1]?.reach('aaaa.6')
    await pass(300)
    expect(answer.value?.cursor).toBe('aaaa.6')
    expect(opened[2]).toMatchObject({ productIds: ['p1', 'p2'], from: 'aaaa.5' })
    expect(open()).toEqual(['p1', 'p2', 'p1 p2']) // make before break
    opened[2]?.reach('aaaa.7')
    expect(open()).toEqual(['p1 p2'])
  })

  test('while one takes over opens a stream beside it, which is taken over next', async () => {
    const { opened, open, join } = start()
    join({ p1: null })
    await pass(0)
    opened[0]?.reach('aaaa.5')
    join({ p2: null })
    await pass(300)
    opened[1]?.reach('aaaa.5')
    await pass(300)
    join({ p3: null })
    await pass(300)
    expect(open()).toEqual(['p1', 'p2', 'p1 p2', 'p3'])
    opened[2]?.reach('aaaa.6')
    opened[3]?.reach('aaaa.6')
    await pass(300)
    opened[4]?.reach('aaaa.7')
    expect(open()).toEqual(['p1 p2 p3'])
  })

  test('beyond what fits into a URL is refused', async () => {
    const { join, opened } = start()
    const answer = join(Object.fromEntries(Array.from({ length: 201 }, (_, i) => [`p${i}`, null])))
    await pass(0)
    opened[0]?.reach('aaaa.1')
    await pass(0)
    expect(answer.value?.results.get('p199')).toBe('joined')
    expect(answer.value?.results.get('p200')).toBe('too_many_products')
    expect(opened[0]?.productIds).toHaveLength(200)
  })

  test('that never catches up ends the connection', async () => {
    const { join, onEnd } = start()
    join({ p1: null })
    await pass(20_000)
    expect(onEnd).toHaveBeenCalledExactlyOnceWith({
      kind: 'lost',
      message: 'a stream has not caught up within 20 s',
    })
  })
})

describe('a full gateway', () => {
  const full = { kind: 'refused', message: 'full', retryAfterMs: 2_000 } as const

  test('that has no place for one more stream keeps those that are open, and is asked again', async () => {
    const { opened, join, onEnd } = start()
    join({ p1: null })
    await pass(0)
    opened[0]?.reach('aaaa.5')
    const answer = join({ p2: 'aaaa.3' })
    await pass(300)
    opened[1]?.onEnd(full)
    await pass(1_999)
    expect(opened).toHaveLength(2)
    await pass(1)
    expect(opened[2]).toMatchObject({ productIds: ['p2'], from: 'aaaa.3' })
    opened[2]?.reach('aaaa.5')
    await pass(0)
    expect(answer.value?.cursor).toBe('aaaa.5')
    expect(onEnd).not.toHaveBeenCalled()
  })

  test('that has none at all ends the connection', async () => {
    const { opened, join, onEnd } = start()
    join({ p1: null })
    await pass(0)
    opened[0]?.onEnd(full)
    expect(onEnd).toHaveBeenCalledExactlyOnceWith(full)
  })

  test('is asked again for the stream that is to take over', async () => {
    const { connection, opened, open, join } = start()
    join({ p1: null, p2: null })
    await pass(0)
    opened[0]?.reach('aaaa.5')
    connection.leave(['p2'])
    await pass(300)
    opened[1]?.onEnd(full)
    await pass(2_000)
    opened[2]?.reach('aaaa.6')
    expect(opened[0]?.isClosed).toBe(true)
    expect(opened[2]).toMatchObject({ productIds: ['p1'], isClosed: false })
    expect(open()).toContain('p1')
  })
})

describe('leaving', () => {
  test('opens a stream without what was left', async () => {
    const { connection, opened, open, join } = start()
    join({ p1: null, p2: null })
    await pass(0)
    opened[0]?.reach('aaaa.5')
    connection.leave(['p2'])
    await pass(300)
    opened[1]?.reach('aaaa.5')
    expect(opened[1]).toMatchObject({ productIds: ['p1'], from: 'aaaa.5' })
    expect(open()).toEqual(['p1'])
    await pass(10_000)
    expect(opened).toHaveLength(2)
  })
})

describe('what is passed on', () => {
  test('a position, only by the stream that has all products', async () => {
    const { handlers, opened, join } = start()
    join({ p1: null })
    await pass(0)
    opened[0]?.reach('aaaa.5')
    expect(handlers.onPosition).toHaveBeenCalledTimes(1)
    join({ p2: null })
    await pass(300)
    opened[0]?.reach('aaaa.9') // p2 may have missed something before that
    opened[1]?.reach('aaaa.6')
    expect(handlers.onPosition).toHaveBeenCalledTimes(1)
    await pass(300)
    expect(opened[2]?.from).toBe('aaaa.6')
    opened[2]?.reach('aaaa.9', { p1: 'aaaa.8' })
    expect(handlers.onPosition).toHaveBeenLastCalledWith({ cursor: 'aaaa.9', products: { p1: 'aaaa.8' } })
  })

  test('a batch, and what its id covers', async () => {
    const { handlers, opened, join } = start()
    join({ p1: null })
    await pass(0)
    opened[0]?.onMessage({ name: 'batched_product_update', id: undefined, payload: 'a replay' })
    opened[0]?.reach('aaaa.5')
    opened[0]?.onMessage({ name: 'batched_product_update', id: 'aaaa.6', payload: 'a batch' })
    expect(handlers.onBatch.mock.calls).toEqual([['a replay'], ['a batch']])
    expect(handlers.onPosition).toHaveBeenLastCalledWith({ cursor: 'aaaa.6', products: {} })
  })

  test('a word to refetch all, as one to refetch what the stream has', async () => {
    const { handlers, opened, join } = start()
    join({ p1: null })
    await pass(0)
    opened[0]?.reach('aaaa.5')
    const word = { reason: 'log_reset', cursor: 'bbbb.0', spreadMs: 0 }
    opened[0]?.onMessage({ name: 'resync_required', id: 'bbbb.0', payload: word })
    expect(handlers.onResync).toHaveBeenCalledExactlyOnceWith({ ...word, productIds: ['p1'] })
  })
})

test('streams that stand in two lives of the log are not brought together', async () => {
  const { opened, open, join } = start()
  join({ p1: null })
  await pass(0)
  opened[0]?.reach('aaaa.5')
  join({ p2: null })
  await pass(300)
  opened[1]?.reach('bbbb.1')
  await pass(1_000)
  expect(open()).toEqual(['p1', 'p2'])
  opened[0]?.onMessage({
    name: 'resync_required',
    id: 'bbbb.0',
    payload: { reason: 'log_reset', cursor: 'bbbb.0' },
  })
  opened[0]?.reach('bbbb.1')
  await pass(300)
  expect(open()).toEqual(['p1', 'p2', 'p1 p2'])
})

test('closing closes everything, and nothing is opened after', async () => {
  const { connection, opened, open, join } = start()
  join({ p1: null })
  await pass(0)
  opened[0]?.reach('aaaa.5')
  join({ p2: null })
  connection.close()
  await pass(60_000)
  expect(open()).toEqual([])
  expect(opened).toHaveLength(1)
  expect(vi.getTimerCount()).toBe(0)
})
