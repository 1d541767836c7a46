/**
 * Takes any number of events in as there is room, in order, one call after the other. What there is room for is taken
 * before the call returns. It leaves half of the queue to single events: a new price list must not keep a sold-out
 * product from being told. Never rejects, not even if the list itself breaks off.
 */
import type { ManyResult } from './options.js'

/** Puts one event into the queue, or refuses and reports it. Either way its end is told. */
export type Take = (event: unknown, onSettled: (accepted: boolean) => void) => void

export interface ManyOptions {
  readonly hasRoom: () => boolean
  /** The list threw instead of giving its next event. */
  readonly onBroken: (error: unknown) => void
}

export interface Many {
  take(events: Iterable<unknown>, take: Take): Promise<ManyResult>
  /** There may be room again. */
  onProgress(): void
}

export function createMany({ hasRoom, onBroken }: ManyOptions): Many {
  let calls = 0
  let lastCall = Promise.resolve()
  let wake: (() => void) | undefined

  async function takeAll(events: Iterable<unknown>, take: (event: unknown) => void): Promise<void> {
    const turn = calls > 0 ? lastCall : undefined
    calls += 1
    if (turn) await turn
    try {
      for (const event of events) {
        while (!hasRoom()) await new Promise<void>((resolve) => (wake = resolve))
        take(event)
      }
    } catch (error) {
      onBroken(error)
    }
    calls -= 1
  }

  return {
    take(events, take) {
      return new Promise((resolve) => {
        let isComplete = false
        let taken = 0
        let accepted = 0
        let failed = 0
        function settle(): void {
          if (isComplete && accepted + failed === taken) resolve({ accepted, failed })
        }
        lastCall = takeAll(events, (event) => {
          taken += 1
          take(event, (isAccepted) => {
            if (isAccepted) accepted += 1
            else failed += 1
            settle()
          })
        }).then(() => {
          isComplete = true
          settle()
        })
      })
    },
    onProgress() {
      wake?.()
    },
  }
}
