/**
 * How long a change takes from the POST that tells the gateway until the new price is in the DOM: over the gateway's
 * window, the wire, the page's window, a fetch of the shop's API and React. Both clocks are this machine's.
 */
import type { Browser, Page } from 'playwright-core'
import type { Shop } from '../examples/storefront/server/shop.js'
import { visit } from '../test/browser/support/visitor.js'

const SLUG = 'tide-mug'
const WARM_UP = 3
const DEADLINE_MS = 10_000

export interface Latency {
  readonly place: string
  /** The page's own window there, by default. */
  readonly windowMs: number
  readonly samplesMs: readonly number[]
}

const PLACES = [
  { place: 'list', path: '/', windowMs: 1_000 },
  { place: 'detail', path: `/p/${SLUG}`, windowMs: 500 },
  { place: 'checkout', path: '/checkout', windowMs: 0 },
]

export async function measureLatency(shop: Shop, browser: Browser, samples: number): Promise<Latency[]> {
  const id = shop.store.bySlug(SLUG)?.id ?? ''
  const latencies: Latency[] = []
  for (const { place, path, windowMs } of PLACES) {
    const cart = place === 'checkout' ? { [id]: 1 } : {}
    const visitor = await visit(browser, shop.url, path, { cart })
    const samplesMs: number[] = []
    for (let at = -WARM_UP; at < samples; at++) {
      const ms = await changePrice(shop, visitor.page, id)
      if (at >= 0) samplesMs.push(ms)
      // Past every window, and at no fixed distance from the one before.
      await visitor.page.waitForTimeout(400 + Math.random() * 300)
    }
    await visitor.close()
    latencies.push({ place, windowMs, samplesMs })
  }
  return latencies
}

async function changePrice(shop: Shop, page: Page, id: string): Promise<number> {
  const oldPrice = shop.store.byId(id)?.price ?? 0
  const newPrice = 2_000 + ((oldPrice + 1) % 1_000)
  shop.store.change(id, { price: newPrice })
  const seen = page.evaluate(whenShown, { cents: newPrice, deadlineMs: DEADLINE_MS })
  const event = { productId: id, type: 'price_update', data: { oldPrice, newPrice } }
  const postedAt = Date.now()
  const response = await fetch(`${shop.gateway.url}/api/notify`, {
    method: 'POST',
    headers: { 'X-API-Key': shop.apiKey, 'Content-Type': 'application/json' },
    body: JSON.stringify(event),
  })
  if (response.status !== 202) throw new Error(`the gateway answered ${response.status}`)
  return (await seen) - postedAt
}

/** In the page: when the amount came into the DOM, by the clock on the wall. */
function whenShown({ cents, deadlineMs }: { cents: number; deadlineMs: number }): Promise<number> {
  return new Promise((resolve, reject) => {
    const observer = new MutationObserver(look)
    const timer = setTimeout(() => reject(new Error(`${cents} was never shown`)), deadlineMs)
    function look(): void {
      if (!document.querySelector(`[data-cents="${cents}"]`)) return
      observer.disconnect()
      clearTimeout(timer)
      resolve(Date.now())
    }
    observer.observe(document.body, { childList: true, subtree: true, attributes: true })
    look()
  })
}
