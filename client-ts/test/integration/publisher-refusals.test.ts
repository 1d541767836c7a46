/** The publisher and what the gateway takes, and refuses. What counts is the log. */
import { connect, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { until } from '../../../tests/e2e/support/wait.js'
import { expectLog, start, upTo } from '../support/real-publisher.js'
import { API_KEY, startStack } from '../support/stack.js'

test('a catalogue of 2,600 products is in the log in order, in 6 requests', async () => {
  const stack = await startStack()
  const { publisher } = start(stack.url)
  const events = upTo(2_600).map(
    (id) => ({ productId: id, type: 'sale_update', data: { active: true, id } }) as const,
  )
  expect(await publisher.many(events)).toEqual({ accepted: 2_600, failed: 0 })
  expect(await stack.logged()).toEqual(upTo(2_600))
  expect(publisher.stats().requests).toBe(6)
})

test('large events go in requests that the gateway takes', async () => {
  const stack = await startStack()
  const { publisher } = start(stack.url)
  for (const id of upTo(100)) publisher.priceUpdate('p', { id, note: 'é'.repeat(8_000) })
  await publisher.flush()
  expect(publisher.stats()).toMatchObject({ accepted: 100, retries: 0 })
  expect(await stack.logged()).toEqual(upTo(100))
})

test('a gateway that is full (503 overloaded) gets everything when it has room', async () => {
  const stack = await startStack()
  const hoard = await hoardBodies(stack.gateway.port)
  const late = start(stack.url)
  const last = late.publish(10)
  await until(() => late.publisher.stats().lastError, 'a 503')
  for (const socket of hoard) socket.destroy()
  await expectLog(stack, late, last)
  expect([...late.reasons()].join()).toContain('503 overloaded')
})

test('a wrong key (401, then 429) loses nothing, and the right one sends it all', async () => {
  const stack = await startStack()
  let apiKey = 'not-the-key'
  const locked = start(stack.url, { apiKey: () => apiKey, retry: { minMs: 1, maxMs: 2 } })
  const last = locked.publish(10)
  await until(() => [...locked.reasons()].join().includes('429'), '429', 30_000)
  expect([...locked.reasons()].join()).toContain('401 unauthorized')
  expect(await stack.logged()).toEqual([])
  apiKey = API_KEY
  await expectLog(stack, locked, last)
})

test('events that the gateway refuses are named, and the others pass', async () => {
  const stack = await startStack()
  const { publisher, reports } = start(stack.url)
  let nested: object = { deep: true }
  for (let i = 0; i < 80; i += 1) nested = { nested }
  for (const id of upTo(9)) {
    const bad = id === 3 ? { timestamp: 'yesterday' } : id === 7 ? { eventId: '' } : {}
    publisher.publish({
      productId: 'p',
      type: 'product_update',
      data: id === 5 ? { id, nested } : { id },
      ...bad,
    })
  }
  await publisher.flush()
  expect(await stack.logged()).toEqual([1, 2, 4, 6, 8, 9])
  expect(publisher.stats()).toMatchObject({ accepted: 6, failed: 3 })
  const failed = reports.filter((report) => report.type === 'failed')
  expect(failed.map(({ events }) => (events as { data: { id: number } }[])[0]?.data.id)).toEqual([3, 5, 7])
  expect(failed.map(({ message }) => message.split(':')[0])).toEqual(['timestamp', 'data', 'eventId'])
})

test('an event with an eventId is accepted once, whoever sends it', async () => {
  const stack = await startStack()
  for (const _ of ['before a crash', 'after it']) {
    const { publisher, reports } = start(stack.url)
    publisher.publish({ productId: 'p', type: 'price_update', data: { id: 1 }, eventId: 'row-1' })
    await publisher.flush()
    expect(reports).toMatchObject([{ type: 'accepted', count: 1 }])
  }
  expect(await stack.logged()).toEqual([1])
})

/** Requests whose bodies never end, as many as the gateway takes at once (8 MiB). */
async function hoardBodies(port: number): Promise<Socket[]> {
  const bytes = 256 * 1024
  const head = `POST /api/notify HTTP/1.1\r\nhost: x\r\nx-api-key: ${API_KEY}\r\ncontent-type: application/json\r\ncontent-length: ${bytes}\r\n\r\n`
  const sockets = Array.from({ length: 34 }, () => {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => {})
    socket.write(head + ' '.repeat(bytes - 1))
    return socket
  })
  await pause(300)
  return sockets
}
