import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { elapse, price, start } from '../../test/support/scripted-publisher.js'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

describe('a retry', () => {
  test.each([
    ['nothing listens', 'unreachable'],
    ['the answer is lost', 'lost'],
    ['no answer comes', 'silence'],
    ['the gateway is overloaded', 503],
    ['a proxy has no gateway', 502],
    ['it was too much', 429],
    ['the body came too slowly', 408],
  ] as const)('follows when %s: same key, same bytes, once in the log', async (_, fate) => {
    const { publisher, gateway, reports } = start([fate, fate])
    publisher.publish(price('a'))
    await elapse(60_000)
    expect(gateway.tries).toHaveLength(3)
    expect(new Set(gateway.tries.map(({ key, body }) => key + body)).size).toBe(1)
    expect(gateway.log).toEqual(['a'])
    expect(reports.at(-1)).toMatchObject({ type: 'accepted', count: 1, tries: 3 })
    expect(publisher.stats()).toMatchObject({
      accepted: 1,
      failed: 0,
      requests: 3,
      retries: 2,
      lastError: undefined,
    })
  })

  test('waits longer each time, up to the longest wait', async () => {
    const { publisher, gateway } = start(Array(12).fill('unreachable'))
    publisher.publish(price('a'))
    await elapse(200_000)
    const waits = gateway.tries.map(({ atMs }, i) => atMs - (gateway.tries[i - 1]?.atMs ?? atMs)).slice(1)
    // Half-way between 250 ms and twice as much each time.
    expect(waits.slice(0, 4)).toEqual([375, 625, 1_125, 2_125])
    expect(waits.slice(7)).toEqual(Array(5).fill(15_125))
  })

  test.each([
    ['seconds', () => '20'],
    ['a date', () => new Date(Date.now() + 20_000).toUTCString()],
  ])('waits as long as Retry-After says, in %s, and a little more', async (_, value) => {
    vi.setSystemTime('2026-01-01T00:00:00Z')
    const { publisher, gateway } = start([{ status: 503, headers: { 'retry-after': value() } }])
    publisher.publish(price('a'))
    await elapse(20_000)
    expect(gateway.tries).toHaveLength(1)
    await elapse(500)
    expect(gateway.log).toEqual(['a'])
  })

  test('ends after giveUpAfterMs, because the gateway forgets the request some time', async () => {
    const { publisher, gateway, failures } = start(Array(999).fill('silence'), { giveUpAfterMs: 60_000 })
    publisher.publish(price('a'))
    await elapse(75_000)
    const tries = gateway.tries.length
    expect(Math.max(...gateway.tries.map(({ atMs }) => atMs - (gateway.tries[0]?.atMs ?? 0)))).toBeLessThan(
      60_000,
    )
    expect(failures()).toMatchObject([
      { reason: 'expired', maybeAccepted: true, message: 'no answer within 10000 ms', events: [price('a')] },
    ])
    await elapse(600_000)
    expect(gateway.tries).toHaveLength(tries)
  })

  test('that never left the machine is surely not accepted', async () => {
    const { publisher, failures } = start(Array(999).fill('unreachable'), { giveUpAfterMs: 60_000 })
    publisher.publish(price('a'))
    await elapse(75_000)
    expect(failures()).toMatchObject([{ reason: 'expired', maybeAccepted: false }])
  })
})
