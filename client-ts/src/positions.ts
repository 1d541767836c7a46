/**
 * Where this client stands with one product, and what each word of the gateway makes of that. Pure: no timers, nothing
 * sent. The rule behind all of it: a place may be too old, which costs a repetition, but never too new, which would cost
 * an update.
 */
import { compareCursors, newerCursor, parseCursor } from './cursor.js'
import type { BatchedProductUpdate, Cursor } from './types.js'

/** Where this client stands with one product. */
export interface Place {
  /** Everything up to here was told. `null`: unknown. */
  readonly at: Cursor | null
  /** Told already, but with a hole or an open question before it: becomes the place when that is answered, not before. */
  readonly beyond: Cursor | null
  /** The gateway was asked, or is about to be, and has not answered: no word about other products moves this one. */
  readonly asking: boolean
}

/** - `news`: tell it. - `duplicate`: told before. - `hole`: tell it, and ask again from the old place. */
export type Verdict = 'news' | 'duplicate' | 'hole'

export const UNKNOWN: Place = { at: null, beyond: null, asking: false }

/** The gateway is asked. */
export function asked(place: Place): Place {
  return { ...place, asking: true }
}

/** A batch has come. */
export function heard(place: Place, batch: BatchedProductUpdate): { verdict: Verdict; place: Place } {
  const { at, asking } = place
  const { cursor, previousCursor, replay } = batch
  if (!parseCursor(cursor)) return { verdict: 'news', place }
  const raised = { ...place, at: cursor }
  const held = { ...place, beyond: newerCursor(place.beyond, cursor) }
  // In place of a word to refetch, it makes up for whatever was missed before.
  if (batch.events.length === 0) return { verdict: 'news', place: raised }
  if (at === null) return { verdict: 'news', place: asking ? held : raised }
  const order = compareCursors(cursor, at)
  if (replay === true) return replayed(place, cursor, order)
  if (order !== undefined && order <= 0) return { verdict: 'duplicate', place }
  const before = compareCursors(previousCursor, at)
  if (before !== undefined && before <= 0) return { verdict: 'news', place: raised }
  return { verdict: 'hole', place: asked(held) }
}

/** Replays come in order and whole, so each moves the place; one that answers an older time repeats what was told. */
function replayed(
  place: Place,
  cursor: Cursor,
  order: number | undefined,
): { verdict: Verdict; place: Place } {
  const isNewer = order === undefined || order > 0
  if (!isNewer && !place.asking) return { verdict: 'duplicate', place }
  return { verdict: 'news', place: order !== undefined && isNewer ? { ...place, at: cursor } : place }
}

/** What was missed has been told, up to `cursor` if the gateway said so. */
export function answered(place: Place, cursor: Cursor | undefined): Place {
  const { at, beyond } = place
  const told = [beyond, cursor].filter((c) => c !== null && c !== undefined)
  return { at: told.reduce<Cursor | null>(newerCursor, at), beyond: null, asking: false }
}

/** A word to refetch has come. Whoever does so has everything up to `cursor`. */
export function refetched(place: Place, cursor: Cursor): Place {
  return { ...place, at: parseCursor(cursor) ? cursor : null, beyond: null }
}

/** The connection is gone, and with it the answer. What was told from beyond a hole is forgotten: the hole stays. */
export function lost(place: Place): Place {
  return { at: place.at, beyond: null, asking: false }
}

/**
 * The gateway says that everything up to `cursor` was told to this connection; the product's own newest event, if it
 * changed lately, is `newest`. `behind`: something is missing, ask again.
 */
export function reached(
  place: Place,
  cursor: Cursor,
  newest: Cursor | undefined,
): { behind: boolean; place: Place } {
  if (place.asking || !parseCursor(cursor)) return { behind: false, place }
  if (place.at === null) return { behind: false, place: { ...place, at: cursor } }
  const missing = newest === undefined ? 0 : compareCursors(newest, place.at)
  const order = compareCursors(cursor, place.at)
  const isBehind = missing === undefined || missing > 0 || order === undefined
  if (isBehind) return { behind: true, place: asked(place) }
  return { behind: false, place: { ...place, at: newerCursor(place.at, cursor) } }
}
