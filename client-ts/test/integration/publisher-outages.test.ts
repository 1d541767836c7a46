/**
 * The publisher, with the gateway and everything around it failing. What counts is the log: each event is in it once and
 * in order.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { freePort, Gateway } from '../../../tests/e2e/support/gateway.js'
import { until } from '../../../tests/e2e/support/wait.js'
import { expectLog, start } from '../support/real-publisher.js'
import { startStack } from '../support/stack.js'

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
