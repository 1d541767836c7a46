/**
 * Brings the events of one request to an end: each is accepted, or fails, and both are told. One bad event does not
 * take others with it: they are sent again without it, as a new request. Order is kept. Never rejects.
 */
import type { Verdict } from './answer.js'
import type { Pauses } from './pauses.js'
import { bodyOf, type Pending } from './queue.js'
import type { Send } from './send.js'
import type { Tally } from './tally.js'

export interface DeliveryOptions {
  readonly send: Send
  readonly pauses: Pauses
  readonly tally: Tally
  /** When nothing more may be sent. */
  readonly stop: AbortSignal
  readonly minMs: number
  readonly maxMs: number
  readonly giveUpAfterMs: number
  readonly random: () => number
}

export type Deliver = (events: readonly Pending[]) => Promise<void>

export function createDeliver(options: DeliveryOptions): Deliver {
  const { send, pauses, tally, stop, minMs, maxMs, giveUpAfterMs, random } = options

  return async (events) => {
    let parts: (readonly Pending[])[] = [events]
    while (parts[0] !== undefined) {
      const [part, ...others] = parts
      parts = [...(await settle(part)), ...others]
    }
  }

  /** Tries one request until its fate is known. Gives back what has to be sent in its place. */
  async function settle(events: readonly Pending[]): Promise<(readonly Pending[])[]> {
    const request = { idempotencyKey: crypto.randomUUID(), body: bodyOf(events) }
    const giveUpAtMs = Date.now() + giveUpAfterMs
    let maybeAccepted = false
    let message = 'the publisher was closed'
    for (let tries = 1; ; tries += 1) {
      if (stop.aborted) return tally.failed(events, { reason: 'closed', message, maybeAccepted })
      // The gateway forgets a request some time. A retry after that would be a second publication.
      if (Date.now() >= giveUpAtMs) return tally.failed(events, { reason: 'expired', message, maybeAccepted })

      tally.tried(tries)
      const verdict = await send(request, stop)
      if (verdict.kind === 'accepted') return tally.accepted(events, verdict, tries)
      if (verdict.kind === 'bad') return withoutBad(events, verdict.problems)
      if (verdict.kind === 'refused') return halves(events, verdict.message)

      maybeAccepted ||= verdict.maybeAccepted
      if (stop.aborted) continue
      message = verdict.message
      const delayMs = Math.min(delayBefore(verdict, tries), giveUpAtMs - Date.now())
      tally.retrying(events, { tries, delayMs, message })
      await pauses.pause(delayMs, { told: verdict.kind === 'later' && verdict.afterMs !== undefined })
    }
  }

  function delayBefore(verdict: Verdict & { kind: 'later' | 'misconfigured' }, tries: number): number {
    if (verdict.kind === 'misconfigured') return maxMs
    // Not all that were told the same time come back in the same moment.
    if (verdict.afterMs !== undefined) return verdict.afterMs + random() * minMs
    const highest = Math.min(maxMs, minMs * 2 ** tries)
    return minMs + random() * Math.max(0, highest - minMs)
  }

  function withoutBad(
    events: readonly Pending[],
    problems: ReadonlyMap<number, string>,
  ): (readonly Pending[])[] {
    const good = events.filter((_, index) => !problems.has(index))
    if (good.length === events.length) return halves(events, 'refused for an event that it does not have')
    for (const [index, message] of problems) {
      const event = events[index]
      if (event) tally.failed([event], { reason: 'refused', message, maybeAccepted: false })
    }
    return good.length > 0 ? [good] : []
  }

  /** Finds what is refused by sending halves: at worst twice as many requests as events, and never a good event lost. */
  function halves(events: readonly Pending[], message: string): (readonly Pending[])[] {
    if (events.length <= 1) return tally.failed(events, { reason: 'refused', message, maybeAccepted: false })
    const middle = Math.ceil(events.length / 2)
    return [events.slice(0, middle), events.slice(middle)]
  }
}
