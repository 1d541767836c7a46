/** The example shop with its gateway and a browser, for all tests of a file; each test begins on the shop's first day. */
import { fileURLToPath } from 'node:url'
import type { Browser } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, inject } from 'vitest'
import { type Shop, startShop } from '../../../examples/storefront/server/shop.js'
import type { ProductPatch } from '../../../examples/storefront/shared/types.js'
import { launchChromium } from './chromium.js'
import { freePort } from './free-port.js'
import { type VisitOptions, type Visitor, visit } from './visitor.js'

process.env.SHELFCAST_BIN ??= fileURLToPath(new URL('../../../../target/debug/shelfcast', import.meta.url))

export interface Stage {
  readonly shop: Shop
  readonly browser: Browser
  /** A visitor in a browser of their own. Whoever has seen an error fails the test. */
  visit(path: string, options?: VisitOptions): Promise<Visitor>
  /** Changes a product as the admin panel does; `quiet` tells the gateway nothing. */
  change(slug: string, patch: ProductPatch & { quiet?: boolean }): Promise<void>
  /** How many products anybody follows, as the gateway says. */
  followed(): Promise<number>
  idOf(slug: string): string
  /**
   * How often the shop's API was called, once nothing calls it any more. A page that has just joined may hear of what
   * happened in the seconds before, and fetch for it.
   */
  callsAtRest(): Promise<number>
}

/** Longer than the gateway's window and the longest of a page. */
const REST_MS = 1_700

export function setStage(): Stage {
  let shop: Shop
  let browser: Browser
  let visitors: Visitor[] = []

  beforeAll(async () => {
    shop = await startShop({ gatewayPort: await freePort(), pages: { built: inject('pages') } })
    browser = await launchChromium()
  })
  beforeEach(() => shop.reset())
  afterEach(async () => {
    const leaving = visitors
    visitors = []
    for (const visitor of leaving) await visitor.close()
  })
  afterAll(async () => {
    await browser?.close()
    await shop?.close()
  })

  function idOf(slug: string): string {
    const id = shop.store.bySlug(slug)?.id
    if (!id) throw new Error(`the shop has no ${slug}`)
    return id
  }

  return {
    get shop() {
      return shop
    },
    get browser() {
      return browser
    },
    idOf,
    async visit(path, options) {
      const visitor = await visit(browser, shop.url, path, options)
      visitors.push(visitor)
      return visitor
    },
    async change(slug, patch) {
      const response = await fetch(`${shop.url}/api/admin/products/${idOf(slug)}`, {
        method: 'PATCH',
        body: JSON.stringify(patch),
      })
      if (!response.ok) throw new Error(await response.text())
    },
    async callsAtRest() {
      for (let last = -1; ; ) {
        const { total } = shop.calls.read()
        if (total === last) return total
        last = total
        await new Promise((resolve) => setTimeout(resolve, REST_MS))
      }
    },
    async followed() {
      const health = await (await fetch(`${shop.gateway.url}/health`)).json()
      return health.rooms.totalRooms
    },
  }
}
