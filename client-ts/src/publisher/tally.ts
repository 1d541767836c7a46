/**
 * Counts and tells what becomes of events. Each passes here twice, when it is published and when it is settled, so that
 * the figures always add up. A listener that throws or rejects is printed to the console and harms nothing.
 */
import type { PublisherReport, PublisherStats, PublishFailure } from './options.js'
import type { Pending } from './queue.js'

export interface Failure {
  readonly reason: PublishFailure
  readonly message: string
  readonly maybeAccepted: boolean
}

export interface Tally {
  readonly figures: Readonly<Omit<PublisherStats, 'queued' | 'queuedBytes' | 'underWay'>>
  published(): void
  tried(tries: number): void
  retrying(events: readonly Pending[], why: { tries: number; delayMs: number; message: string }): void
  /** Both give back an empty list: nothing is left to send. */
  accepted(
    events: readonly Pending[],
    answer: { readonly duplicates: number; readonly cursor: string },
    tries: number,
  ): []
  failed(events: readonly Pending[], failure: Failure): []
  /** An event that never became JSON. */
  unfit(event: unknown, failure: Failure): void
}

export function createTally(onReport: ((report: PublisherReport) => unknown) | undefined): Tally {
  const figures = {
    published: 0,
    accepted: 0,
    failed: 0,
    requests: 0,
    retries: 0,
    lastError: undefined as string | undefined,
  }

  function report(what: PublisherReport): void {
    try {
      // An async listener rejects where nobody waits for it.
      void Promise.resolve(onReport?.(what)).catch(print)
    } catch (error) {
      print(error)
    }
  }

  return {
    figures,
    published() {
      figures.published += 1
    },
    tried(tries) {
      figures.requests += 1
      if (tries > 1) figures.retries += 1
    },
    retrying(events, why) {
      figures.lastError = why.message
      report({ type: 'retrying', count: events.length, ...why })
    },
    accepted(events, { duplicates, cursor }, tries) {
      figures.accepted += events.length
      figures.lastError = undefined
      report({ type: 'accepted', count: events.length, duplicates, cursor, tries })
      for (const event of events) event.onSettled?.(true)
      return []
    },
    failed(events, failure) {
      figures.failed += events.length
      if (events.length > 0) {
        report({ type: 'failed', events: events.map(({ json }): unknown => JSON.parse(json)), ...failure })
      }
      for (const event of events) event.onSettled?.(false)
      return []
    },
    unfit(event, failure) {
      figures.failed += 1
      report({ type: 'failed', events: [event], ...failure })
    },
  }
}

function print(error: unknown): void {
  console.error('[publisher] onReport failed:', error)
}
