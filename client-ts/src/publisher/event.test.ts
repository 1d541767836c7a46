import { expect, test } from 'vitest'
import { serialise } from './event.js'

const good = {
  productId: 'p1',
  type: 'price_update',
  data: { newPrice: 5 },
  timestamp: '2026-01-01T00:00:00Z',
}

function read(event: unknown): unknown {
  const serialised = serialise(event)
  return 'json' in serialised ? JSON.parse(serialised.json) : serialised.message
}

test('an event is sent as it was given', () => {
  expect(read({ ...good, eventId: 'row-7' })).toEqual({ ...good, eventId: 'row-7' })
})

test('an event without a time gets that of the call', () => {
  const before = Date.now()
  const { timestamp } = read({ ...good, timestamp: undefined }) as { timestamp: string }
  expect(Date.parse(timestamp)).toBeGreaterThanOrEqual(before)
})

test('a number becomes the id that clients use', () => {
  expect(read({ ...good, productId: 42 })).toMatchObject({ productId: '42' })
})

test('the length is counted in bytes, not in characters', () => {
  const serialised = serialise({ ...good, data: { name: 'Café ☕' } })
  const json = 'json' in serialised ? serialised.json : ''
  expect(serialised).toMatchObject({ bytes: Buffer.byteLength(json) })
})

test.each([
  ['no event', null, /JSON/],
  ['no id', { ...good, productId: undefined }, /productId/],
  ['an empty id', { ...good, productId: '' }, /productId/],
  ['an id with a space', { ...good, productId: 'a b' }, /productId/],
  ['an id that is too long', { ...good, productId: 'x'.repeat(129) }, /productId/],
  ['half a number', { ...good, productId: 1.5 }, /productId/],
  ['no number', { ...good, productId: Number.NaN }, /productId/],
  ['an unknown type', { ...good, type: 'toString' }, /type: one of/],
  ['no data', { ...good, data: undefined }, /data: an object/],
  ['a list as data', { ...good, data: [] }, /data: an object/],
  ['data that JSON has no word for', { ...good, data: { price: 1n } }, /JSON/],
])('%s is refused with the reason', (_, event, reason) => {
  expect(read(event)).toMatch(reason)
})

test('data in a circle is refused and does not throw', () => {
  const data: Record<string, unknown> = {}
  data.self = data
  expect(read({ ...good, data })).toMatch(/JSON/)
})

test('data may have 16 KiB and not a byte more', () => {
  const ofBytes = (bytes: number) => ({ ...good, data: { fill: 'x'.repeat(bytes - '{"fill":""}'.length) } })
  expect(serialise(ofBytes(16_384))).toHaveProperty('json')
  expect(serialise(ofBytes(16_385))).toEqual({
    reason: 'too_large',
    message: 'data: 16385 bytes of JSON, at most 16384',
  })
})
