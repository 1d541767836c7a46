import { describe, expect, test } from 'vitest'
import { UNKNOWN } from './positions.js'
import { isBehind, type Standing, sinceOf } from './since.js'

const NOON = Date.parse('2026-01-01T12:00:00Z')
const SAME_CLOCK = { offsetMs: 0 }
const UNKNOWN_CLOCK = { offsetMs: undefined }
const minutes = (count: number) => NOON + count * 60_000

const NEW: Standing = { place: UNKNOWN, knownFromMs: undefined, changedAtMs: undefined, heardAtMs: undefined }
/** Followed since noon, with a change told at five past. */
const FOLLOWED: Standing = {
  place: { ...UNKNOWN, at: 'aaaa.9' },
  knownFromMs: minutes(0),
  changedAtMs: minutes(5),
  heardAtMs: minutes(6),
}

describe('a product nobody followed', () => {
  test('is asked about from the age of the oldest data, with some overlap', () => {
    const since = sinceOf(NEW, [minutes(3), minutes(2)], SAME_CLOCK, minutes(4))
    expect(since).toEqual({ text: '2026-01-01T12:01:58.000Z', fromMs: minutes(2) - 2_000 })
  })

  test("is asked about by the gateway's clock", () => {
    const fast = { offsetMs: -3_600_000 }
    expect(sinceOf(NEW, [minutes(2)], fast, minutes(4)).text).toBe('2026-01-01T11:01:58.000Z')
  })

  test('is asked about from earlier when no clock is known', () => {
    expect(sinceOf(NEW, [minutes(2)], UNKNOWN_CLOCK, minutes(4)).text).toBe('2026-01-01T12:01:30.000Z')
  })

  test('is not asked about from the future', () => {
    expect(sinceOf(NEW, [minutes(9)], SAME_CLOCK, minutes(4)).text).toBe('2026-01-01T12:03:58.000Z')
  })

  test('is joined from now on when nothing is shown', () => {
    expect(sinceOf(NEW, [], SAME_CLOCK, minutes(4)).text).toBeNull()
  })
})

describe('a product that was followed', () => {
  test('is asked about from its cursor', () => {
    expect(sinceOf(FOLLOWED, [], SAME_CLOCK, minutes(9)).text).toBe('aaaa.9')
    expect(sinceOf(FOLLOWED, [minutes(7)], SAME_CLOCK, minutes(9)).text).toBe('aaaa.9')
  })

  test('is asked about from a time when somebody shows what is older than the last change', () => {
    const since = sinceOf(FOLLOWED, [minutes(7), minutes(4)], SAME_CLOCK, minutes(9))
    expect(since.text).toBe('2026-01-01T12:03:58.000Z')
  })

  test('is asked about from when it was last heard, where the gateway gives no cursors', () => {
    const plain = { ...FOLLOWED, place: UNKNOWN }
    expect(sinceOf(plain, [], SAME_CLOCK, minutes(9)).text).toBe('2026-01-01T12:05:58.000Z')
  })
})

describe('who is behind', () => {
  test('whose data is older than a change that was told', () => {
    expect(isBehind(FOLLOWED, minutes(4), SAME_CLOCK)).toBe(true)
    expect(isBehind(FOLLOWED, minutes(5) + 1_999, SAME_CLOCK)).toBe(true)
    expect(isBehind(FOLLOWED, minutes(5) + 2_000, SAME_CLOCK)).toBe(false)
  })

  test('whose data is from before anybody listened', () => {
    const quiet = { ...FOLLOWED, changedAtMs: undefined }
    expect(isBehind(quiet, minutes(-1), SAME_CLOCK)).toBe(true)
    expect(isBehind(quiet, minutes(1), SAME_CLOCK)).toBe(false)
    expect(isBehind(NEW, minutes(1), SAME_CLOCK)).toBe(true)
  })
})
