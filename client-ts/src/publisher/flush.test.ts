import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { elapse, price, prices, start } from '../../test/support/scripted-publisher.js'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

describe('flush and close', () => {
  test('flush resolves when nothing is left', async () => {
    const { publisher, gateway } = start(['unreachable'])
    void publisher.many(prices(700))
    const flushed = publisher.flush()
    await elapse(1_500)
    expect(await flushed).toEqual({ done: true, left: 0 })
    expect(gateway.log).toHaveLength(700)
    expect(await publisher.flush()).toEqual({ done: true, left: 0 })
  })

  test('flush waits for what a many still holds', async () => {
    const { publisher, gateway } = start([], { maxQueuedEvents: 10 })
    void publisher.many(prices(200))
    const flushed = publisher.flush()
    await elapse(0)
    expect(await flushed).toEqual({ done: true, left: 0 })
    expect(gateway.log).toHaveLength(200)
  })

  test('flush waits no longer than it may', async () => {
    const { publisher } = start(Array(99).fill('silence'), { timeoutMs: 500 })
    publisher.publish(price('a'))
    const flushed = publisher.flush({ timeoutMs: 3_000 })
    await elapse(3_000)
    expect(await flushed).toEqual({ done: false, left: 1 })
  })

  test('flush shortens the waits, but not one that the gateway named', async () => {
    const long = start(Array(8).fill('unreachable'))
    long.publisher.publish(price('a'))
    await elapse(17_500) // the sixth wait began, of 16 s
    const tries = long.gateway.tries.length
    await elapse(5_000)
    expect(long.gateway.tries).toHaveLength(tries)
    const flushed = long.publisher.flush()
    await elapse(3_000)
    expect(await flushed).toMatchObject({ done: true })

    const told = start([{ status: 503, headers: { 'retry-after': '5' } }])
    told.publisher.publish(price('a'))
    await elapse(0)
    void told.publisher.flush()
    await elapse(4_900)
    expect(told.gateway.tries).toHaveLength(1)
    await elapse(400)
    expect(told.gateway.log).toEqual(['a'])
  })

  test('close refuses what is new, flushes, and reports what is left', async () => {
    const { publisher, gateway, failures } = start(['accept', ...Array(99).fill('silence')], {
      maxQueuedEvents: 2_000,
      timeoutMs: 400,
    })
    void publisher.many(prices(1_300))
    const closed = publisher.close({ timeoutMs: 2_000 })
    expect(publisher.publish(price('late'))).toBe(false)
    expect(publisher.close()).toBe(closed)
    await elapse(2_000)
    // Of 1,300: 500 accepted, 500 perhaps, the others never sent.
    expect(await closed).toEqual({ done: false, left: 800 })
    await elapse(0)
    expect(gateway.log).toHaveLength(500)
    expect(publisher.stats()).toMatchObject({
      published: 1_301,
      accepted: 500,
      failed: 801,
      queued: 0,
      underWay: 0,
    })
    expect(
      failures().map(({ reason, events, maybeAccepted }) => [reason, events.length, maybeAccepted]),
    ).toEqual([
      ['closed', 1, false],
      ['closed', 300, false],
      ['closed', 500, true],
    ])
    await elapse(600_000)
    expect(gateway.tries.length).toBeLessThan(10)
  })

  test('close reports at once what waits for a time that the gateway named', async () => {
    const { publisher, failures } = start([{ status: 503, headers: { 'retry-after': '600' } }])
    publisher.publish(price('a'))
    void publisher.close({ timeoutMs: 1_000 })
    await elapse(1_000)
    expect(failures()).toMatchObject([{ reason: 'closed', maybeAccepted: true, message: '503' }])
  })

  test('close ends a many that waits for room', async () => {
    const { publisher } = start(Array(99).fill('silence'), { maxQueuedEvents: 10 })
    const done = publisher.many(prices(100))
    void publisher.close({ timeoutMs: 100 })
    await elapse(100)
    expect(await done).toEqual({ accepted: 0, failed: 100 })
    expect(publisher.stats()).toMatchObject({ published: 100, failed: 100 })
  })
})
