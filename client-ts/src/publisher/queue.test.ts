import { expect, test } from 'vitest'
import { bodyOf, createQueue } from './queue.js'

const event = (bytes = 10) => ({ json: `"${'x'.repeat(bytes - 2)}"`, bytes })

test('a request has at most 500 events', () => {
  const queue = createQueue(10_000, 1e9)
  for (let i = 0; i < 501; i += 1) queue.offer(event())
  expect(queue.takeRequest()).toHaveLength(500)
  expect(queue.takeRequest()).toHaveLength(1)
  expect(queue.bytes).toBe(0)
})

test('a request has at most 256 KiB, and as much of that as fits', () => {
  const queue = createQueue(10_000, 1e9)
  for (let i = 0; i < 40; i += 1) queue.offer(event(16_500))
  const first = queue.takeRequest()
  const bytes = Buffer.byteLength(bodyOf(first))
  expect(bytes).toBeLessThanOrEqual(262_144)
  expect(bytes + 16_501).toBeGreaterThan(262_144)
})

test('an event that is larger than a request may be goes alone, for the gateway to judge', () => {
  const queue = createQueue(10_000, 1e9)
  queue.offer(event(300_000))
  queue.offer(event())
  expect(queue.takeRequest()).toHaveLength(1)
})

test('what is beyond the number or the bytes is refused', () => {
  const queue = createQueue(2, 100)
  expect(queue.offer(event(60))).toBe(true)
  expect(queue.offer(event(60))).toBe(false)
  expect(queue.offer(event(40))).toBe(true)
  expect(queue.offer(event(2))).toBe(false)
  queue.takeAll()
  expect(queue.offer(event(60))).toBe(true)
})
