import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { elapse, price, prices, start } from '../../test/support/scripted-publisher.js'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
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
