import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createFakeGateway, type Fate } from '../../test/support/fake-gateway.js'
import { createPublisher, type PublisherReport } from '../publisher.js'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

const FATES: readonly Fate[] = [
  'accept',
  'accept',
  'unreachable',
  'lost',
  'lost',
  'silence',
  429,
  500,
  503,
  401,
  302,
  200,
]

/** A small generator of numbers in [0, 1): the same seed, the same story (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

test.each(Array.from({ length: 60 }, (_, seed) => seed))(
  'whatever happens, each event is in the log once or reported (story %d)',
  async (seed) => {
    const random = seeded(seed)
    const draw = (below: number) => Math.floor(random() * below)
    const script = Array.from({ length: draw(60) }, () => FATES[draw(FATES.length)] as Fate)
    const gateway = createFakeGateway(...script)
    const failed: string[] = []
    const maybe: string[] = []
    function onReport(report: PublisherReport): void {
      if (report.type !== 'failed') return
      const ids = (report.events as { productId: string }[]).map(({ productId }) => productId)
      const list = report.maybeAccepted ? maybe : failed
      list.push(...ids)
    }
    const publisher = createPublisher({
      url: 'http://gateway.test',
      fetch: gateway.fetch,
      random,
      maxInFlight: 1 + draw(3),
      maxQueuedEvents: 20 + draw(60),
      giveUpAfterMs: draw(4) === 0 ? 20_000 : 1e9,
      onReport,
    })

    const published: string[] = []
    const next = () => {
      const productId = `p${published.length}`
      published.push(productId)
      return { productId, type: 'sale_update', data: { active: true } } as const
    }
    for (let step = 0; step < 40; step += 1) {
      if (draw(6) === 0) void publisher.many(Array.from({ length: draw(100) }, next))
      else for (let i = draw(30); i > 0; i -= 1) publisher.publish(next())
      await vi.advanceTimersByTimeAsync(draw(8_000))
      const { accepted, failed: lost, queued, underWay, published: counted } = publisher.stats()
      expect(accepted + lost + queued + underWay).toBe(counted)
    }
    const closed = publisher.close({ timeoutMs: draw(2) === 0 ? 5_000 : 1e7 })
    await vi.advanceTimersByTimeAsync(1.1e7)
    await closed

    const inLog = new Set(gateway.log)
    expect(gateway.log.length, 'nothing is in the log twice').toBe(inLog.size)
    const lost = new Set([...failed, ...maybe])
    expect(failed.length + maybe.length, 'nothing is reported twice').toBe(lost.size)
    expect(
      failed.filter((id) => inLog.has(id)),
      'surely not accepted',
    ).toEqual([])
    expect(
      published.filter((id) => !inLog.has(id) && !lost.has(id)),
      'neither',
    ).toEqual([])
    const { accepted, failed: count, published: counted } = publisher.stats()
    expect([accepted, count, counted]).toEqual([published.length - lost.size, lost.size, published.length])
  },
)
