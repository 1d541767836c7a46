import { expect, test } from 'vitest'
import { fitting, plansOf } from './sse-plan.js'

const plans = (since: Record<string, string | null>) => plansOf(new Map(Object.entries(since)))

test('products that stand in one life of the log share a stream from the oldest place', () => {
  expect(plans({ p1: 'aaaa.9', p2: 'aaaa.10', p3: 'aaaa.8' })).toEqual([
    { productIds: ['p1', 'p2', 'p3'], from: 'aaaa.8' },
  ])
})

test('what cannot be compared gets streams of its own: one place for all would repeat or miss something', () => {
  const since = {
    now: null,
    early: '2026-01-01T09:00:00Z',
    late: '2026-01-01T08:30:00-01:00',
    here: 'aaaa.9',
    before: 'bbbb.700',
  }
  expect(plans(since)).toEqual([
    { productIds: ['now'], from: null },
    { productIds: ['early', 'late'], from: '2026-01-01T09:00:00Z' },
    { productIds: ['here'], from: 'aaaa.9' },
    { productIds: ['before'], from: 'bbbb.700' },
  ])
})

test('nothing needs no stream', () => {
  expect(plans({})).toEqual([])
})

test('a stream has 200 products at most, and its URL 16 KiB', () => {
  const short = Array.from({ length: 201 }, (_, i) => `p${i}`)
  expect(fitting(short).tooMany).toEqual(['p200'])
  const long = Array.from({ length: 200 }, (_, i) => `${i}`.padStart(128, 'x'))
  const { fit, tooMany } = fitting(long)
  expect(fit).toHaveLength(123)
  expect(tooMany).toHaveLength(77)
  expect(fit.join(',').length).toBeLessThan(16 * 1024 - 400)
})
