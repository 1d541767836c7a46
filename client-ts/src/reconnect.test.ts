import { describe, expect, test, vi } from 'vitest'
import { cursors, joins, listener, start, useFakeTime, waitOut } from '../test/support/fake-sync.js'

useFakeTime()

describe('a lost connection', () => {
  test('is opened again, and everything is joined from where it stood', async () => {
    const { gateway, sync } = start()
    const card = listener()
    sync.subscribe('p1', card)
    sync.subscribe('p2')
    await gateway.settled()
    gateway.deliver('p1')
    gateway.drop()
    const missed = gateway.deliver('p1')
    expect(card.heard).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(2_500)
    expect(joins(gateway).at(-1)).toEqual({ type: 'join', since: { p1: 'test0000.1', p2: 'test0000.0' } })
    expect(cursors(card.heard)).toEqual(['test0000.1', missed.cursor])
  })

  test('is tried again without end, and more and more rarely', async () => {
    const { gateway, sync, events } = start({ random: () => 0.99 }, { greets: false })
    sync.subscribe('p1')
    await gateway.settled()
    for (let drop = 1; drop <= 20; drop += 1) {
      gateway.drop()
      await waitOut(sync)
      expect(gateway.opened).toBe(drop + 1)
    }
    const waits = events.flatMap((event) => (event.type === 'waiting' ? [event.delayMs] : []))
    expect(waits.slice(0, 6)).toEqual([4_950, 4_960, 9_910, 19_810, 29_710, 29_710])
  })

  test('counts as good only after a while, so that accept-and-close is no loop', async () => {
    const { gateway, sync } = start()
    sync.subscribe('p1')
    await gateway.settled()
    for (const attempt of [1, 2, 3]) {
      await vi.advanceTimersByTimeAsync(4_999)
      gateway.drop()
      expect(sync.getSnapshot().attempt).toBe(attempt)
      await waitOut(sync)
    }
    await vi.advanceTimersByTimeAsync(5_000)
    expect(sync.getSnapshot()).toMatchObject({ status: 'connected', attempt: 0 })
  })

  test('is not waited for when the gateway says when to come', async () => {
    const { gateway, sync, events } = start({ random: () => 0 })
    sync.subscribe('p1')
    await gateway.settled()
    gateway.drop({ kind: 'refused', retryAfterMs: 7_000 })
    expect(events.at(-1)).toEqual({ type: 'waiting', delayMs: 7_000, attempt: 1 })
  })

  test('stays lost when the token is refused, until reconnectNow', async () => {
    const { gateway, sync } = start()
    sync.subscribe('p1')
    await gateway.settled()
    gateway.drop({ kind: 'unauthorized', message: 'unauthorized' })
    await vi.advanceTimersByTimeAsync(600_000)
    expect(sync.getSnapshot()).toMatchObject({ status: 'failed', lastError: 'unauthorized' })
    expect(gateway.opened).toBe(1)
    sync.reconnectNow()
    await gateway.settled()
    expect(sync.getSnapshot()).toMatchObject({ status: 'connected', lastError: undefined })
    expect([...gateway.joined]).toEqual(['p1'])
  })

  test('reconnectNow does not wait, and leaves an open one alone', async () => {
    const { gateway, sync } = start()
    sync.subscribe('p1')
    sync.reconnectNow()
    await gateway.settled()
    sync.reconnectNow()
    expect(gateway.opened).toBe(1)
    gateway.drop()
    sync.reconnectNow()
    await gateway.settled()
    expect(gateway.opened).toBe(2)
    await vi.advanceTimersByTimeAsync(60_000)
    expect(gateway.opened).toBe(2)
  })

  test('is given up on when no greeting comes', async () => {
    const { gateway, sync } = start({}, { greets: false })
    sync.subscribe('p1')
    await gateway.settled()
    await vi.advanceTimersByTimeAsync(20_000)
    expect(sync.getSnapshot()).toMatchObject({ status: 'waiting', lastError: 'no greeting within 20 s' })
  })

  test('is given up on when a join is not answered', async () => {
    const { gateway, sync } = start({}, { answer: () => Promise.reject(new Error('no answer')) })
    sync.subscribe('p1')
    await gateway.settled()
    expect(sync.getSnapshot()).toMatchObject({ status: 'waiting', lastError: 'no answer' })
    expect(gateway.isOpen).toBe(false)
  })
})
