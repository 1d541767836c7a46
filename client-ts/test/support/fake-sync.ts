/** A sync on a gateway in memory, and what tests of it ask for again and again. Time is fake from the start of a test. */
import { afterEach, beforeEach, vi } from 'vitest'
import type { ProductChange, ProductSync, ProductSyncEvent, ProductSyncOptions } from '../../src/options.js'
import { createProductSync } from '../../src/product-sync.js'
import { type FakeTransport, type FakeTransportOptions, fakeTransport } from '../../src/testing.js'

/** When every test begins. */
export const START = Date.parse('2026-01-01T12:00:00Z')

/** To be called once at the top of a test file. */
export function useFakeTime(): void {
  beforeEach(() => {
    vi.useFakeTimers({ now: START })
  })
  afterEach(() => {
    vi.useRealTimers()
  })
}

/** `random` is 0.5, so that a first wait is 2.5 s. */
export function start(options: Partial<ProductSyncOptions> = {}, fake: FakeTransportOptions = {}) {
  const gateway = fakeTransport(fake)
  const events: ProductSyncEvent[] = []
  const onEvent = (event: ProductSyncEvent) => events.push(event)
  const sync = createProductSync({ transport: gateway, random: () => 0.5, onEvent, ...options })
  return { gateway, sync, events }
}

/** A subscriber that notes what it hears. */
export function listener(since?: () => number | undefined) {
  const heard: ProductChange[] = []
  return { heard, onChange: (change: ProductChange) => heard.push(change), ...(since ? { since } : {}) }
}

export const joins = (gateway: FakeTransport) => gateway.calls.filter((call) => call.type === 'join')

export const cursors = (heard: readonly ProductChange[]) =>
  heard.flatMap((change) => (change.kind === 'batch' ? [change.batch.cursor] : []))

/** Until the next try. */
export async function waitOut(sync: ProductSync) {
  while (sync.getSnapshot().status === 'waiting') await vi.advanceTimersToNextTimerAsync()
}
