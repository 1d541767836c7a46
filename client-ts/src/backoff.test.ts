import { expect, test } from 'vitest'
import { backoffMs } from './backoff.js'

const least = () => 0
const most = () => 0.999_999

test('the first wait is drawn from the whole spread, so that a restart gets its clients back one by one', () => {
  expect([backoffMs(1, {}, least), backoffMs(1, {}, most)]).toEqual([0, 4_999])
})

test('later waits grow to half a minute, and are never shorter than a second', () => {
  const waits = [2, 3, 4, 5, 6, 100].map((attempt) => [
    backoffMs(attempt, {}, least),
    backoffMs(attempt, {}, most),
  ])
  expect(waits).toEqual([
    [1_000, 4_999],
    [1_000, 9_999],
    [1_000, 19_999],
    [1_000, 29_999],
    [1_000, 29_999],
    [1_000, 29_999],
  ])
})

test('all of it can be set', () => {
  const options = { firstSpreadMs: 0, minMs: 10, maxMs: 20 }
  expect([1, 2, 9].map((attempt) => backoffMs(attempt, options, most))).toEqual([0, 19, 19])
  expect(backoffMs(9, { minMs: 60_000 }, most)).toBe(60_000)
})
