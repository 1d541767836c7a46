/** A publisher before the real gateway, and the look into the log that ends each of its tests. */
import { expect, onTestFinished } from 'vitest'
import { createPublisher, type PublisherOptions, type PublisherReport } from '../../src/publisher.js'
import { API_KEY, type Stack } from './stack.js'

/** A publisher with short waits, that closes with the test. */
export function start(url: string, options: PublisherOptions = {}) {
  const reports: PublisherReport[] = []
  const publisher = createPublisher({
    url,
    apiKey: API_KEY,
    retry: { minMs: 20, maxMs: 200 },
    timeoutMs: 2_000,
    onReport: (report) => reports.push(report),
    ...options,
  })
  onTestFinished(() => void publisher.close({ timeoutMs: 0 }))
  let lastId = 0
  return {
    publisher,
    reports,
    /** Why it was tried again, each once: `503 draining …`. */
    reasons: () => new Set(reports.flatMap((report) => (report.type === 'retrying' ? [report.message] : []))),
    /** Publishes `count` events and gives back how many there have been. */
    publish(count: number): number {
      for (let i = 0; i < count; i += 1) {
        lastId += 1
        publisher.priceUpdate(`p${lastId % 7}`, { newPrice: lastId, id: lastId })
      }
      return lastId
    },
  }
}

export const upTo = (last: number) => Array.from({ length: last }, (_, i) => i + 1)

/** Waits until nothing is left, then looks into the log. */
export async function expectLog({ logged }: Stack, { publisher }: ReturnType<typeof start>, last: number) {
  expect(await publisher.flush({ timeoutMs: 30_000 })).toEqual({ done: true, left: 0 })
  expect(await logged()).toEqual(upTo(last))
  expect(publisher.stats()).toMatchObject({
    published: last,
    accepted: last,
    failed: 0,
    lastError: undefined,
  })
}
