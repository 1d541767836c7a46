/**
 * From where a product is asked about: so early that nothing is missed, and not earlier. Pure. Repeating costs one
 * refetch, a gap costs a wrong price; so whatever is uncertain is decided for the earlier moment.
 */
import type { Place } from './positions.js'

/** What is known of one product, and stays known for a while after it was left. */
export interface Standing {
  place: Place
  /** Since then, by this machine's clock, every change was told to those who were there. */
  knownFromMs: number | undefined
  /** When the newest change happened that was told and that `place.at` includes. */
  changedAtMs: number | undefined
  /** When the gateway was last heard while the product was joined: all there is to go by where it gives no cursors. */
  heardAtMs: number | undefined
}

/** This machine's clock against the gateway's. */
export interface Skew {
  /** Added to this machine's time it gives the gateway's. `undefined`: the gateway told no time. */
  readonly offsetMs: number | undefined
}

/** From where to ask. */
export interface Since {
  /** As it is sent. */
  readonly text: string | null
  /** What it is by this machine's clock, if it is a time. */
  readonly fromMs: number | undefined
}

const OVERLAP_MS = 2_000
/** Clocks of visitors are wrong; without the gateway's time nobody knows by how much. */
const OVERLAP_UNKNOWN_CLOCK_MS = 30_000

/**
 * Whether somebody whose data is from `dataAtMs` needs to be told more than what comes next: changes from before it
 * listened, that those who listened have heard.
 */
export function isBehind(standing: Standing, dataAtMs: number, skew: Skew): boolean {
  const { knownFromMs, changedAtMs } = standing
  if (knownFromMs === undefined) return true
  return dataAtMs - overlapMs(skew) < Math.max(knownFromMs, changedAtMs ?? 0)
}

/** From where to ask for a product, for newcomers whose data is from `dataAtMs`. */
export function sinceOf(standing: Standing, dataAtMs: readonly number[], skew: Skew, nowMs: number): Since {
  const { place, heardAtMs } = standing
  if (place.at === null) {
    const times = heardAtMs === undefined ? dataAtMs : [...dataAtMs, heardAtMs]
    return times.length === 0 ? { text: null, fromMs: undefined } : atTime(Math.min(...times), skew, nowMs)
  }
  // What is behind is older than something that the cursor includes; so the time is older than the cursor, never newer.
  const behind = dataAtMs.filter((ms) => isBehind(standing, ms, skew))
  return behind.length === 0
    ? { text: place.at, fromMs: undefined }
    : atTime(Math.min(...behind), skew, nowMs)
}

function atTime(ms: number, skew: Skew, nowMs: number): Since {
  const fromMs = Math.min(ms, nowMs) - overlapMs(skew)
  return { text: new Date(Math.max(0, fromMs + (skew.offsetMs ?? 0))).toISOString(), fromMs }
}

function overlapMs(skew: Skew): number {
  return skew.offsetMs === undefined ? OVERLAP_UNKNOWN_CLOCK_MS : OVERLAP_MS
}
