import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createFakeGateway, type Fate } from '../test/support/fake-gateway.js'
import { createPublisher, type PublisherOptions, type PublisherReport } from './publisher.js'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

/** A publisher, the gateway of its script, and what it reports. Draws are in the middle of their range. */
function start(script: Fate[] = [], options: PublisherOptions = {}) {
  const gateway = createFakeGateway(...script)
  const reports: PublisherReport[] = []
  const publisher = createPublisher({
    url: 'http://gateway.test',
    apiKey: 'key',
    fetch: gateway.fetch,
    random: () => 0.5,
    onReport: (report) => reports.push(report),
    ...options,
  })
  const failures = () => reports.filter((report) => report.type === 'failed')
  return { publisher, gateway, reports, failures }
}

const price = (productId: string | number) =>
  ({ productId, type: 'price_update', data: { newPrice: 1 } }) as const
const prices = (count: number) => Array.from({ length: count }, (_, i) => price(`p${i}`))
const elapse = (ms: number) => vi.advanceTimersByTimeAsync(ms)

describe('what is published', () => {
  test('reaches the gateway with the key, a type of its own for each verb', async () => {
    const { publisher, gateway } = start()
    publisher.productUpdate('a', { action: 'created' })
    publisher.inventoryUpdate('b', { currentStock: 3 })
    publisher.priceUpdate(42, { newPrice: 5 })
    publisher.saleUpdate('d', { active: true })
    await elapse(0)
    const [{ headers, body }] = gateway.tries as [(typeof gateway.tries)[0]]
    expect(headers.get('x-api-key')).toBe('key')
    expect(headers.get('content-type')).toBe('application/json')
    const { events } = JSON.parse(body)
    expect(events.map((event: { type: string }) => event.type)).toEqual([
      'product_update',
      'inventory_update',
      'price_update',
      'sale_update',
    ])
    expect(events[2]).toMatchObject({ productId: '42', data: { newPrice: 5 } })
  })

  test('together travels together, and what comes meanwhile gathers', async () => {
    let answer: (response: Response) => void = () => {}
    const bodies: string[] = []
    const { publisher } = start([], {
      fetch: (_, init) => {
        bodies.push(String(init?.body))
        return new Promise((resolve) => {
          answer = resolve
        })
      },
    })
    publisher.publish(price('a'))
    publisher.publish(price('b'))
    await elapse(0)
    for (const id of ['c', 'd', 'e']) publisher.publish(price(id))
    await elapse(1_000)
    expect(bodies).toHaveLength(1)
    answer(Response.json({ cursor: 'x.2' }, { status: 202 }))
    await elapse(0)
    expect(bodies.map((body) => JSON.parse(body).events.length)).toEqual([2, 3])
  })

  test('keeps its order, also over retries and requests', async () => {
    const { publisher, gateway } = start([503, 'accept', 'lost', 'unreachable'])
    for (let i = 0; i < 1_200; i += 1) {
      publisher.publish(price(`p${i}`))
      if (i === 300) await elapse(0)
    }
    await elapse(60_000)
    expect(gateway.log).toEqual(prices(1_200).map(({ productId }) => productId))
  })

  test('is what it was at the call, whatever becomes of the object', async () => {
    const { publisher, gateway } = start()
    const data = { newPrice: 1 }
    publisher.priceUpdate('a', data)
    data.newPrice = 99
    await elapse(0)
    expect(JSON.parse(gateway.tries[0]?.body ?? '').events[0].data).toEqual({ newPrice: 1 })
  })

  test('goes out over several requests at once if asked to', async () => {
    const { publisher, gateway } = start(['silence', 'silence', 'silence'], {
      maxInFlight: 2,
      timeoutMs: 500,
    })
    void publisher.many(prices(1_500))
    await elapse(100)
    expect(gateway.tries).toHaveLength(2)
  })
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

describe('a gateway that refuses', () => {
  test('some events loses only those; the others go again under a new key', async () => {
    const errors = [
      { path: 'events[1].data', expected: 'at most 64 levels' },
      { path: 'events[3].timestamp', expected: 'an RFC 3339 time' },
    ]
    const { publisher, gateway, failures } = start([
      503,
      { status: 422, body: { code: 'invalid_event', errors } },
    ])
    for (const event of prices(5)) publisher.publish(event)
    await elapse(1_000)
    expect(gateway.log).toEqual(['p0', 'p2', 'p4'])
    expect(gateway.tries[2]?.key).not.toBe(gateway.tries[1]?.key)
    expect(failures()).toMatchObject([
      { reason: 'refused', events: [price('p1')], message: 'data: at most 64 levels', maybeAccepted: false },
      { reason: 'refused', events: [price('p3')], message: 'timestamp: an RFC 3339 time' },
    ])
    expect(publisher.stats()).toMatchObject({ accepted: 3, failed: 2 })
  })

  test('without saying which event is asked with halves, in order, until the one is found', async () => {
    const log: string[] = []
    const { publisher, failures } = start([], {
      async fetch(_, init) {
        const ids = JSON.parse(String(init?.body)).events.map(
          (event: { productId: string }) => event.productId,
        )
        if (ids.includes('p2')) return new Response('too large for this proxy', { status: 413 })
        log.push(...ids)
        return Response.json({ cursor: 'x.1' }, { status: 202 })
      },
    })
    for (const event of prices(8)) publisher.publish(event)
    await elapse(0)
    expect(failures()).toMatchObject([{ reason: 'refused', events: [price('p2')], message: '413' }])
    expect(log).toEqual(['p0', 'p1', 'p3', 'p4', 'p5', 'p6', 'p7'])
    expect(publisher.stats()).toMatchObject({ accepted: 7, failed: 1 })
  })

  test('an event that was never in the request is not asked for ever', async () => {
    const errors = [{ path: 'events[9].data', expected: 'sense' }]
    const { publisher, failures } = start(Array(3).fill({ status: 422, body: { errors } }))
    for (const event of prices(2)) publisher.publish(event)
    await elapse(0)
    expect(failures()).toHaveLength(2)
  })

  test('the key keeps the events, tries rarely, and takes a new key when there is one', async () => {
    const apiKey = vi.fn(() => 'old')
    const { publisher, gateway, reports } = start([401, 401, 401], { apiKey })
    publisher.publish(price('a'))
    await elapse(89_999)
    expect(gateway.tries).toHaveLength(3)
    expect(reports.every(({ type }) => type === 'retrying')).toBe(true)
    expect(publisher.stats().lastError).toBe('401')
    apiKey.mockReturnValue('new')
    await elapse(1)
    expect(gateway.log).toEqual(['a'])
    expect(gateway.tries.at(-1)?.headers.get('x-api-key')).toBe('new')
  })

  test('never hears a key that no header may hold, nor does a log', async () => {
    const { publisher, gateway, reports } = start([], { apiKey: 'secret\nvalue' })
    publisher.publish(price('a'))
    await elapse(0)
    expect(gateway.tries).toHaveLength(0)
    expect(JSON.stringify([reports, publisher.stats()])).not.toContain('secret')
    expect(publisher.stats().lastError).toMatch(/API key/)
  })
})

describe('the caller', () => {
  test('is told at once of an event that cannot be sent, and of a queue that is full', () => {
    const { publisher, failures } = start([], { maxQueuedEvents: 1 })
    expect(publisher.publish(price('not an id'))).toBe(false)
    expect(publisher.priceUpdate('a', { note: 'x'.repeat(16_384) })).toBe(false)
    expect(publisher.publish(price('a'))).toBe(true)
    expect(publisher.publish(price('b'))).toBe(false)
    expect(failures().map((failure) => failure.reason)).toEqual(['invalid', 'too_large', 'queue_full'])
    expect(publisher.stats()).toMatchObject({ published: 4, failed: 3, queued: 1 })
  })

  test('survives a listener that throws, rejects or publishes again', async () => {
    const printed = vi.spyOn(console, 'error').mockImplementation(() => {})
    const unhandled = vi.fn()
    process.once('unhandledRejection', unhandled)
    const { publisher, gateway } = start([], {
      maxQueuedEvents: 1,
      onReport(report) {
        if (report.type === 'failed') throw new Error('in the listener')
        return Promise.reject(new Error('later')) as unknown as undefined
      },
    })
    publisher.publish(price('a'))
    expect(publisher.publish(price('b'))).toBe(false)
    await elapse(1_000)
    expect(gateway.log).toEqual(['a'])
    expect(printed).toHaveBeenCalledTimes(2)
    expect(unhandled).not.toHaveBeenCalled()
  })

  test('survives a fetch that ignores its signal, and a key function that throws or hangs', async () => {
    const { publisher: deaf } = start([], { fetch: () => new Promise(() => {}), timeoutMs: 1_000 })
    const apiKey = vi
      .fn()
      .mockRejectedValueOnce(new Error('no vault'))
      .mockReturnValueOnce(new Promise(() => {}))
    const { publisher: keyless, gateway } = start([], {
      apiKey: apiKey.mockReturnValue('key'),
      timeoutMs: 1_000,
    })
    deaf.publish(price('a'))
    keyless.publish(price('b'))
    await elapse(400)
    expect(keyless.stats().lastError).toBe('no vault')
    await elapse(2_000)
    expect(deaf.stats().lastError).toBe('no answer within 1000 ms')
    expect(gateway.log).toEqual(['b'])
  })

  test('hears at the start, and only then, of an address that is none', () => {
    for (const url of ['localhost:3003', 'not an address', 'ftp://host', 'http://user:password@host']) {
      expect(() => createPublisher({ url })).toThrow(TypeError)
    }
  })
})

describe('the environment', () => {
  test('names the gateway and the key', async () => {
    const asked: unknown[] = []
    vi.stubEnv('WEBSOCKET_GATEWAY_URL', 'wss://shop.test/rt')
    vi.stubEnv('INTERNAL_API_KEY', 'first, second')
    const { publisher, gateway } = start([], { url: undefined, apiKey: undefined })
    const { publisher: other } = start([], {
      url: undefined,
      fetch: async (url) => {
        asked.push(String(url))
        return new Response()
      },
    })
    publisher.publish(price('a'))
    other.publish(price('a'))
    await elapse(0)
    expect(gateway.tries[0]?.headers.get('x-api-key')).toBe('first')
    expect(asked).toEqual(['https://shop.test/rt/api/notify'])
  })
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
