/**
 * The publisher against the real gateway, with everything between and behind them failing. What counts is the log: each
 * event is in it once, in order, or was reported.
 */
import { connect, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { freePort, Gateway } from '../../../tests/e2e/support/gateway.js'
import { until } from '../../../tests/e2e/support/wait.js'
import { createPublisher, type PublisherOptions, type PublisherReport } from '../../src/publisher.js'
import { API_KEY, type Stack, startStack } from '../support/stack.js'

function start(url: string, options: PublisherOptions = {}) {
  const reports: PublisherReport[] = []
  const publisher = createPublisher({
    url,
    apiKey: API_KEY,
    retry: { minMs: 20, maxMs: 200 },
    timeoutMs: 2_000,
    onReport: (report) => reports.push(report),
    ...options,
  })
  onTestFinished(() => void publisher.close({ timeoutMs: 0 }))
  let lastId = 0
  return {
    publisher,
    reports,
    /** Why it was tried again, each once: `503 draining …`. */
    reasons: () => new Set(reports.flatMap((report) => (report.type === 'retrying' ? [report.message] : []))),
    /** Publishes `count` events and gives back how many there have been. */
    publish(count: number): number {
      for (let i = 0; i < count; i += 1) {
        lastId += 1
        publisher.priceUpdate(`p${lastId % 7}`, { newPrice: lastId, id: lastId })
      }
      return lastId
    },
  }
}

const upTo = (last: number) => Array.from({ length: last }, (_, i) => i + 1)

/** Waits until nothing is left, then looks into the log. */
async function expectLog({ logged }: Stack, { publisher }: ReturnType<typeof start>, last: number) {
  expect(await publisher.flush({ timeoutMs: 30_000 })).toEqual({ done: true, left: 0 })
  expect(await logged()).toEqual(upTo(last))
  expect(publisher.stats()).toMatchObject({
    published: last,
    accepted: last,
    failed: 0,
    lastError: undefined,
  })
}

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

test('a gateway that is not there yet gets everything when it comes', async () => {
  const port = await freePort()
  const later = start(`http://127.0.0.1:${port}`)
  const last = later.publish(50)
  await until(() => later.publisher.stats().retries > 2, 'some tries in vain')
  const gateway = new Gateway(port, {})
  onTestFinished(() => gateway.kill())
  await gateway.start()
  expect(await later.publisher.flush()).toEqual({ done: true, left: 0 })
  expect(later.publisher.stats()).toMatchObject({ accepted: last, failed: 0 })
  // Without Redis the log is in the gateway; its last position counts what is in it.
  expect(later.reports.at(-1)).toMatchObject({ type: 'accepted', cursor: expect.stringMatching(/\.50$/) })
})

test('a gateway that stands still takes each event once when it goes on', async () => {
  const stack = await startStack()
  const slow = start(stack.url, { timeoutMs: 150 })
  slow.publish(10)
  await slow.publisher.flush()
  process.kill(Number(stack.gateway.pid), 'SIGSTOP')
  const last = slow.publish(40)
  // Each try is a request that the gateway will find when it wakes.
  await until(() => slow.publisher.stats().retries >= 4, 'tries without an answer')
  process.kill(Number(stack.gateway.pid), 'SIGCONT')
  await expectLog(stack, slow, last)
  expect(slow.reasons()).toContain('no answer within 150 ms')
})

test('answers that are lost on the way back change nothing', async () => {
  const stack = await startStack()
  const line = start(stack.url)
  let last = 0
  for (let i = 0; i < 20; i += 1) {
    stack.door.dropNextReply()
    last = line.publish(25)
    expect(await line.publisher.flush()).toMatchObject({ done: true })
  }
  await expectLog(stack, line, last)
  expect(line.publisher.stats().retries).toBeGreaterThanOrEqual(20)
})

test('a gateway that is killed and started again five times under load', async () => {
  const stack = await startStack()
  const busy = start(stack.url, { maxInFlight: 1 })
  let last = 0
  const load = setInterval(() => {
    last = busy.publish(5)
  }, 2)
  for (let i = 0; i < 5; i += 1) {
    await pause(150)
    await stack.gateway.kill()
    await stack.gateway.start()
  }
  clearInterval(load)
  await expectLog(stack, busy, last)
  expect(busy.publisher.stats().retries).toBeGreaterThan(0)
})

test('a gateway that drains (503) hands over to the next', async () => {
  const stack = await startStack()
  const gateway = await Gateway.start({
    REDIS_URL: stack.redis.url,
    DRAIN_DELAY_MS: '0',
    DRAIN_SPREAD_MS: '1500',
  })
  onTestFinished(() => gateway.kill())
  stack.door.retarget({ port: gateway.port })
  // A client with a long stream keeps the drain waiting.
  const drained = start(stack.url)
  drained.publish(10)
  await drained.publisher.flush()
  const stream = await fetch(`${gateway.url}/api/events?products=p1`)
  const ended = gateway.stop()
  const load = setInterval(() => drained.publish(3), 10)
  await until(
    () => [...drained.reasons()].some((reason) => reason.startsWith('503 draining')),
    '503 draining',
  )
  stack.door.retarget({ port: stack.gateway.port })
  stack.door.resetAll()
  clearInterval(load)
  await expectLog(stack, drained, drained.publish(1))
  await stream.body?.cancel().catch(() => {})
  await ended
})

test('a Redis that stands still (503 log_unavailable) gets everything when it goes on', async () => {
  const stack = await startStack()
  const waiting = start(stack.url, { timeoutMs: 5_000 })
  waiting.publish(10)
  await waiting.publisher.flush()
  stack.redis.stop()
  const last = waiting.publish(30)
  await until(() => waiting.publisher.stats().lastError, 'a 503')
  stack.redis.resume()
  await expectLog(stack, waiting, last)
  expect([...waiting.reasons()].join()).toContain('503 log_unavailable')
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

test('everything at once: each event is in the log once and in order', async () => {
  const stack = await startStack()
  const stormy = start(stack.url, { timeoutMs: 300 })
  let last = 0
  const load = setInterval(() => {
    last = stormy.publish(7)
  }, 5)
  for (let i = 0; i < 4; i += 1) {
    stack.door.dropNextReply()
    await pause(120)
    stack.door.resetAll()
    await pause(120)
    stack.redis.stop()
    await pause(500)
    stack.redis.resume()
    stack.door.blackHole('down')
    await pause(400)
    stack.door.heal()
    await stack.gateway.kill()
    await pause(100)
    await stack.gateway.start()
  }
  clearInterval(load)
  await expectLog(stack, stormy, last)
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
