import { describe, expect, test } from 'vitest'
import {
  isProductId,
  readBatch,
  readConnected,
  readError,
  readJoined,
  readPosition,
  readResync,
} from './wire.js'

const EVENT = { productId: 'p1', type: 'price_update', data: {}, timestamp: '2026-01-01T00:00:00Z' }
const ORIGINAL = { productId: 'p1', events: [EVENT], timestamp: '2026-01-01T00:00:00Z', count: 1 }

describe('a batch', () => {
  test('of a gateway that has only the original fields is filled in', () => {
    expect(readBatch(ORIGINAL)).toEqual({
      value: { ...ORIGINAL, cursor: '', previousCursor: '', spreadMs: 0 },
    })
  })

  test('with an event of a type of the future is let through: something changed', () => {
    const future = { ...ORIGINAL, events: [{ ...EVENT, type: 'review_update' }] }
    expect(readBatch(future)).toMatchObject({ value: { events: [{ type: 'review_update' }] } })
  })

  test.each([
    null,
    'p1',
    [ORIGINAL],
    {},
    { ...ORIGINAL, productId: 1 },
    { ...ORIGINAL, events: {} },
    { ...ORIGINAL, events: [null] },
    { ...ORIGINAL, events: [{ ...EVENT, data: undefined }] },
    { ...ORIGINAL, timestamp: 0 },
  ])('%j cannot be read', (payload) => {
    expect(readBatch(payload)).toHaveProperty('problem')
  })

  test.each([
    [Number.NaN, 0],
    [-5, 0],
    ['1000', 0],
    [1e12, 60_000],
    [300, 300],
  ])('that is to be spread over %s ms is spread over %s', (spreadMs, read) => {
    expect(readBatch({ ...ORIGINAL, spreadMs })).toMatchObject({ value: { spreadMs: read } })
  })
})

test('a word to refetch with a reason of the future is a gap', () => {
  expect(readResync({ reason: 'solar flare', cursor: 'a.1' })).toEqual({
    value: { reason: 'gap', cursor: 'a.1', spreadMs: 0 },
  })
  expect(readResync({ reason: 'slow', productIds: [1] })).toHaveProperty('problem')
})

test('a position without products is one', () => {
  expect(readPosition({ cursor: 'a.1' })).toEqual({ value: { cursor: 'a.1', products: {} } })
  expect(readPosition({ cursor: 1 })).toHaveProperty('problem')
})

test('an older greeting has no features', () => {
  expect(readConnected({ socketId: 's', authenticated: true })).toEqual({
    value: { socketId: 's', authenticated: true, cursor: '', serverTime: '', features: [] },
  })
})

test('a refusal without a code has one', () => {
  expect(readError({ message: 'no' })).toEqual({ value: { message: 'no', code: 'unknown' } })
})

test('an answer that refuses the whole message has no results', () => {
  expect(readJoined({ ok: false, code: 'rate_limited' })).toEqual({
    value: { cursor: '', code: 'rate_limited', results: {} },
  })
})

test('a product id has 1 to 128 harmless characters', () => {
  for (const good of ['1', 'a.B_c:d~e-f', 'x'.repeat(128)]) expect(isProductId(good), good).toBe(true)
  for (const bad of ['', 'a b', 'ä', 'a/b', 'a,b', 'x'.repeat(129), 'a\n'])
    expect(isProductId(bad), bad).toBe(false)
})
