import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createWindow } from './window.js'

const flushes: Array<{ atMs: number; collected: Record<string, readonly number[]> }> = []
let startedAt = 0

function open(options: { delayMs?: number; random?: () => number } = {}) {
  return createWindow<number>({
    delayMs: options.delayMs ?? 1_000,
    random: options.random ?? (() => 0.5),
    flush: (collected) =>
      flushes.push({ atMs: Date.now() - startedAt, collected: Object.fromEntries(collected) }),
  })
}

beforeEach(() => {
  vi.useFakeTimers()
  startedAt = Date.now()
  flushes.length = 0
})
afterEach(() => vi.useRealTimers())

describe('a fixed window', () => {
  it('flushes exactly one window after the first change', () => {
    open().add('p1', 1, 0)
    vi.advanceTimersByTime(999)
    expect(flushes).toEqual([])
    vi.advanceTimersByTime(1)
    expect(flushes).toEqual([{ atMs: 1_000, collected: { p1: [1] } }])
  })

  it('is never pushed back: a change every 100 ms is flushed every second (defect: starvation)', () => {
    const window = open()
    for (let n = 0; n < 50; n += 1) {
      window.add('p1', n, 0)
      vi.advanceTimersByTime(100)
    }
    expect(flushes.map((flush) => flush.atMs)).toEqual([1_000, 2_000, 3_000, 4_000, 5_000])
  })

  it('collects all products in one flush, in the order in which they came', () => {
    const window = open()
    window.add('p1', 1, 0)
    window.add('p2', 2, 0)
    window.add('p1', 3, 0)
    vi.advanceTimersByTime(1_000)
    expect(flushes).toEqual([{ atMs: 1_000, collected: { p1: [1, 3], p2: [2] } }])
  })

  it('opens again for what comes after a flush', () => {
    const window = open()
    window.add('p1', 1, 0)
    vi.advanceTimersByTime(1_500)
    window.add('p1', 2, 0)
    vi.advanceTimersByTime(1_000)
    expect(flushes.map((flush) => flush.atMs)).toEqual([1_000, 2_500])
  })

  it('waits beyond the window a time drawn from the spread', () => {
    open({ random: () => 0.25 }).add('p1', 1, 4_000)
    vi.advanceTimersByTime(1_999)
    expect(flushes).toEqual([])
    vi.advanceTimersByTime(1)
    expect(flushes).toEqual([{ atMs: 2_000, collected: { p1: [1] } }])
  })

  it('draws from the largest spread, also when a change without one opened the window', () => {
    const window = open()
    window.add('quiet', 1, 0)
    window.add('crowded', 2, 2_000)
    vi.advanceTimersByTime(5_000)
    expect(flushes).toEqual([{ atMs: 2_000, collected: { quiet: [1], crowded: [2] } }])
  })

  it('forgets the spread with the flush', () => {
    const window = open()
    window.add('crowded', 1, 2_000)
    vi.advanceTimersByTime(2_000)
    window.add('quiet', 2, 0)
    vi.advanceTimersByTime(1_000)
    expect(flushes.map((flush) => flush.atMs)).toEqual([2_000, 3_000])
  })

  it('gives out a product that is dealt with at once', () => {
    const window = open()
    window.add('p1', 1, 0)
    window.add('p2', 2, 0)
    expect(window.take('p1')).toEqual([1])
    expect(window.take('p3')).toEqual([])
    vi.advanceTimersByTime(1_000)
    expect(flushes).toEqual([{ atMs: 1_000, collected: { p2: [2] } }])
  })

  it('gives the next change a whole window when everything was taken out', () => {
    const window = open()
    window.add('p1', 1, 0)
    vi.advanceTimersByTime(900)
    window.take('p1')
    window.add('p1', 2, 0)
    vi.advanceTimersByTime(5_000)
    expect(flushes).toEqual([{ atMs: 1_900, collected: { p1: [2] } }])
  })

  it('flushes nothing after it is closed, and gives back what it held', () => {
    const window = open()
    window.add('p1', 1, 0)
    expect(Object.fromEntries(window.close())).toEqual({ p1: [1] })
    vi.advanceTimersByTime(5_000)
    expect(flushes).toEqual([])
  })
})
