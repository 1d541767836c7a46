/**
 * What to ask about one product: from where, and on whose behalf.
 */
import type { Listener } from './rooms.js'
import { isBehind, type Since, type Skew, type Standing, sinceOf } from './since.js'

/** One product of a question to the gateway. */
export interface Question {
  readonly since: Since
  /** Who will have caught up when it is answered. */
  readonly newcomers: readonly Listener[]
}

/** What is to be looked at. */
export interface QuestionParts {
  readonly standing: Standing
  readonly listeners: Iterable<Listener>
  readonly skew: Skew
  /** Ask, even if nobody who came lately needs it: the product is not joined, or has a hole. */
  readonly isNeeded: boolean
  readonly onThrow: (error: unknown) => void
}

/** `undefined`: nothing needs to be asked. */
export function questionOf(parts: QuestionParts): Question | undefined {
  const { standing, skew } = parts
  const newcomers = [...parts.listeners].filter((listener) => !listener.isCaughtUp)
  const times = newcomers
    .map((listener) => dataAtMs(listener, parts.onThrow))
    .filter((ms) => ms !== undefined)
  if (parts.isNeeded || times.some((ms) => isBehind(standing, ms, skew))) {
    return { since: sinceOf(standing, times, skew, Date.now()), newcomers }
  }
  for (const listener of newcomers) listener.isCaughtUp = true
  return undefined
}

function dataAtMs({ subscriber }: Listener, onThrow: (error: unknown) => void): number | undefined {
  try {
    const ms = subscriber.since?.()
    // Query caches say 0 for "never".
    return ms !== undefined && Number.isFinite(ms) && ms > 0 ? ms : undefined
  } catch (error) {
    onThrow(error)
    return undefined
  }
}
