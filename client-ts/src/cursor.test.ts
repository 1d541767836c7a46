import { expect, test } from 'vitest'
import { compareCursors, newerCursor, oldestCursor, parseCursor } from './cursor.js'

test('a cursor is an epoch, a dot and a whole number that a double holds', () => {
  expect(parseCursor('k3f90000.1042')).toEqual({ epoch: 'k3f90000', n: 1042 })
  expect(parseCursor('k3f90000.9007199254740991')?.n).toBe(Number.MAX_SAFE_INTEGER)
  for (const other of [
    '',
    'k3f9',
    'k3f9.',
    '.1',
    'k3f9.01',
    'k3f9.-1',
    'k3f9.9007199254740992',
    '2026-01-01T00:00:00.000Z',
  ])
    expect(parseCursor(other), other).toBeUndefined()
})

test('cursors compare by number within an epoch, and not at all between two', () => {
  expect(compareCursors('a.9', 'a.10')).toBeLessThan(0)
  expect(compareCursors('a.10', 'a.10')).toBe(0)
  expect(compareCursors('a.9', 'b.10')).toBeUndefined()
  expect(compareCursors('a.9', 'then')).toBeUndefined()
})

test('of two cursors the newer is kept, and what was told later where there is no newer', () => {
  expect(newerCursor('a.9', 'a.10')).toBe('a.10')
  expect(newerCursor('a.10', 'a.9')).toBe('a.10')
  expect(newerCursor('a.10', 'b.1')).toBe('b.1')
  expect(newerCursor(null, 'a.1')).toBe('a.1')
})

test('the oldest of many is one only within an epoch', () => {
  expect(oldestCursor(['a.9', 'a.7', 'a.10'])).toBe('a.7')
  expect(oldestCursor(['a.9', 'b.7'])).toBeUndefined()
  expect(oldestCursor([])).toBeUndefined()
})
