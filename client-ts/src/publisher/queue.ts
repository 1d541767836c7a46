/**
 * The events that wait, oldest first, bounded in number and in bytes; and how many of them make one request. It refuses
 * what is beyond and forgets nothing.
 */
import type { Serialised } from './event.js'

/** The gateway's limits for one request. */
const REQUEST_EVENTS_MAX = 500
const BODY_BYTES_MAX = 256 * 1024
const BODY_OPEN = '{"events":['
const BODY_CLOSE = ']}'

/** An event on its way, and whom to tell of its end. */
export interface Pending extends Serialised {
  /** Called once, when it was accepted or has failed. */
  readonly onSettled?: ((accepted: boolean) => void) | undefined
}

export interface Queue {
  readonly length: number
  readonly bytes: number
  /** `false`: it is full. */
  offer(event: Pending): boolean
  /** Whether less than half of it is used. */
  isHalfFree(): boolean
  /** Takes the events of the next request out. */
  takeRequest(): Pending[]
  takeAll(): Pending[]
}

export function createQueue(maxEvents: number, maxBytes: number): Queue {
  let waiting: Pending[] = []
  let bytes = 0

  function take(count: number): Pending[] {
    const taken = waiting.splice(0, count)
    for (const event of taken) bytes -= event.bytes
    return taken
  }

  return {
    get length() {
      return waiting.length
    },
    get bytes() {
      return bytes
    },
    offer(event) {
      if (waiting.length >= maxEvents || bytes + event.bytes > maxBytes) return false
      waiting.push(event)
      bytes += event.bytes
      return true
    },
    isHalfFree: () => waiting.length < maxEvents / 2 && bytes < maxBytes / 2,
    takeRequest: () => take(countOfRequest(waiting)),
    takeAll() {
      const all = waiting
      waiting = []
      bytes = 0
      return all
    },
  }
}

/** The body of a request. */
export function bodyOf(events: readonly Pending[]): string {
  return `${BODY_OPEN}${events.map((event) => event.json).join(',')}${BODY_CLOSE}`
}

/** How many of the first events fit into one request. */
function countOfRequest(events: readonly Pending[]): number {
  let bytes = BODY_OPEN.length + BODY_CLOSE.length
  let count = 0
  for (const event of events) {
    bytes += event.bytes + 1 // and a comma
    if (count === REQUEST_EVENTS_MAX || (count > 0 && bytes > BODY_BYTES_MAX)) break
    count += 1
  }
  return count
}
