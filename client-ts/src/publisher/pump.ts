/**
 * Moves events from the queue into requests, a bounded number of them at once. It starts a moment after the first event,
 * so that what one piece of code publishes together travels together; while a request is under way others gather.
 */
import type { Deliver } from './delivery.js'
import type { Queue } from './queue.js'
import { later } from './timer.js'

export interface Pump {
  /** Something is in the queue. */
  start(): void
  /** Resolves when nothing is in the queue or under way. */
  idle(): Promise<void>
}

export interface PumpOptions {
  readonly queue: Queue
  readonly deliver: Deliver
  readonly maxInFlight: number
  /** The queue has become shorter. */
  readonly onProgress: () => void
}

export function createPump({ queue, deliver, maxInFlight, onProgress }: PumpOptions): Pump {
  let isStarting = false
  let underWay = 0
  let nextIdle: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined

  function run(): void {
    isStarting = false
    while (underWay < maxInFlight && queue.length > 0) {
      underWay += 1
      void deliver(queue.takeRequest()).then(() => {
        underWay -= 1
        run()
      })
    }
    onProgress()
    if (isIdle()) {
      nextIdle?.resolve()
      nextIdle = undefined
    }
  }

  const isIdle = (): boolean => underWay === 0 && queue.length === 0

  function idle(): Promise<void> {
    if (isIdle()) return Promise.resolve()
    if (!nextIdle) {
      let resolve = (): void => {}
      const promise = new Promise<void>((resolveIt) => (resolve = resolveIt))
      nextIdle = { promise, resolve }
    }
    return nextIdle.promise
  }

  return {
    start() {
      if (isStarting || underWay >= maxInFlight) return
      isStarting = true
      later(0, run)
    },
    idle,
  }
}
