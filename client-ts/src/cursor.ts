/**
 * Cursors, `epoch.n`: an epoch names one life of the gateway's log, and `n` counts its events. Within one epoch they
 * compare by number; between two there is no before and after, and nothing here pretends that there were.
 */
import type { Cursor } from './types.js'

/** A cursor taken apart. */
export interface CursorParts {
  readonly epoch: string
  readonly n: number
}

/** `undefined`: not a cursor. */
export function parseCursor(text: string): CursorParts | undefined {
  const [, epoch, digits] = /^([a-z0-9]+)\.(0|[1-9]\d{0,15})$/.exec(text) ?? []
  const n = Number(digits)
  return epoch !== undefined && Number.isSafeInteger(n) ? { epoch, n } : undefined
}

/** How `a` stands to `b`: negative is older. `undefined`: of two epochs, or not cursors. */
export function compareCursors(a: Cursor, b: Cursor): number | undefined {
  const [left, right] = [parseCursor(a), parseCursor(b)]
  return left && right && left.epoch === right.epoch ? left.n - right.n : undefined
}

/** The newer of two. Where they cannot be compared: `b`, which was told later. */
export function newerCursor(a: Cursor | null, b: Cursor): Cursor {
  return a !== null && (compareCursors(a, b) ?? -1) > 0 ? a : b
}

/** The oldest of some cursors. `undefined`: they are of several epochs, or there are none. */
export function oldestCursor(cursors: Iterable<Cursor>): Cursor | undefined {
  let oldest: Cursor | undefined
  for (const cursor of cursors) {
    const order = compareCursors(cursor, oldest ?? cursor)
    if (order === undefined) return undefined
    if (oldest === undefined || order < 0) oldest = cursor
  }
  return oldest
}
