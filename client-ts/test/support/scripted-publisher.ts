/** A publisher before a gateway of a script, and the events it is fed with. For fake timers. */
import { vi } from 'vitest'
import {
  createPublisher,
  type Publisher,
  type PublisherOptions,
  type PublisherReport,
} from '../../src/publisher.js'
import { createFakeGateway, type FakeGateway, type Fate } from './fake-gateway.js'

type Failed = Extract<PublisherReport, { type: 'failed' }>

export interface Scripted {
  readonly publisher: Publisher
  readonly gateway: FakeGateway
  readonly reports: PublisherReport[]
  failures(): Failed[]
}

/** Draws are in the middle of their range. */
export function start(script: Fate[] = [], options: PublisherOptions = {}): Scripted {
  const gateway = createFakeGateway(...script)
  const reports: PublisherReport[] = []
  const publisher = createPublisher({
    url: 'http://gateway.test',
    apiKey: 'key',
    fetch: gateway.fetch,
    random: () => 0.5,
    onReport: (report) => reports.push(report),
    ...options,
  })
  return { publisher, gateway, reports, failures: () => reports.filter((report) => report.type === 'failed') }
}

export const price = (productId: string | number) =>
  ({ productId, type: 'price_update', data: { newPrice: 1 } }) as const

/** `p0`, `p1`, … */
export const prices = (count: number) => Array.from({ length: count }, (_, i) => price(`p${i}`))

export const elapse = (ms: number) => vi.advanceTimersByTimeAsync(ms)
