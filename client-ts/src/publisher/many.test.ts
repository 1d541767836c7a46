import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { elapse, price, prices, start } from '../../test/support/scripted-publisher.js'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

describe('many', () => {
  test('sends a catalogue in requests of 500 and tells how it went', async () => {
    const { publisher, gateway } = start([], { maxQueuedEvents: 2_000 })
    const done = publisher.many([...prices(25_000), price('not an id')])
    await elapse(1_000)
    expect(await done).toEqual({ accepted: 25_000, failed: 1 })
    expect(gateway.log).toEqual(prices(25_000).map(({ productId }) => productId))
    expect(gateway.tries).toHaveLength(50)
  })

  test('leaves half of the queue to single events, and takes no more than there is room for', async () => {
    const { publisher } = start(['unreachable'], { maxQueuedEvents: 100 })
    let read = 0
    function* catalogue() {
      for (const event of prices(10_000)) {
        read += 1
        yield event
      }
    }
    void publisher.many(catalogue())
    expect(publisher.stats().queued).toBe(50)
    expect(read).toBeLessThanOrEqual(51)
    expect(publisher.publish(price('urgent'))).toBe(true)
  })

  test('comes before what is published after it, while there is room', async () => {
    const { publisher, gateway } = start()
    void publisher.many([price('a'), price('b')])
    publisher.publish(price('c'))
    void publisher.many([price('d')])
    await elapse(0)
    expect(gateway.log).toEqual(['a', 'b', 'c', 'd'])
  })

  test('takes one list after the other', async () => {
    const { publisher, gateway } = start([], { maxQueuedEvents: 4 })
    const ids = (name: string) => Array.from({ length: 9 }, (_, i) => `${name}${i}`)
    const both = [publisher.many(ids('a').map(price)), publisher.many(ids('b').map(price))]
    await elapse(100)
    expect(await Promise.all(both)).toEqual(Array(2).fill({ accepted: 9, failed: 0 }))
    expect(gateway.log).toEqual([...ids('a'), ...ids('b')])
  })

  test('reports a list that breaks off, and sends what it had', async () => {
    const { publisher, gateway, failures } = start()
    function* broken() {
      yield price('a')
      throw new Error('the database is gone')
    }
    expect(await Promise.all([publisher.many(broken()), elapse(0)])).toMatchObject([
      { accepted: 1, failed: 0 },
      {},
    ])
    expect(gateway.log).toEqual(['a'])
    expect(failures()).toMatchObject([
      { reason: 'invalid', message: expect.stringContaining('the database is gone') },
    ])
  })
})
