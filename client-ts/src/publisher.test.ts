import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { elapse, price, prices, start } from '../test/support/scripted-publisher.js'
import { createPublisher } from './publisher.js'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

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
