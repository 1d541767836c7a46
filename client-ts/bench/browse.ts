/**
 * How often a visit of ten minutes calls the shop's API. The same visitor does the same things at the same times while the
 * same things happen to the catalogue, with live updates or with polling. Every wait is divided by `speed`: those of the
 * visitor, the windows of gateway and page, the polling interval, and how long data counts as fresh. What the wire and the
 * gateway's own margins take is not, which at high speeds counts against live updates.
 */
import type { Browser, Page } from 'playwright-core'
import type { Shop } from '../examples/storefront/server/shop.js'
import type { ProductPatch } from '../examples/storefront/shared/types.js'
import { type Live, visit } from '../test/browser/support/visitor.js'

const VISIT_MS = 600_000

export interface BrowseOptions {
  readonly live: Live
  /** In the whole catalogue of forty. */
  readonly changesPerMinute: number
  readonly speed: number
}

/** What the visitor does, and how long they then stay. Sums up to ten minutes. */
const STEPS: readonly { readonly seconds: number; readonly act: (page: Page) => Promise<unknown> }[] = [
  { seconds: 75, act: async () => {} },
  { seconds: 50, act: (page) => open(page, 'Gourd Vase') },
  { seconds: 40, act: (page) => page.goBack() },
  { seconds: 50, act: (page) => open(page, 'Moon Jar') },
  { seconds: 45, act: async (page) => (await buy(page), await shelf(page, 'Light')) },
  { seconds: 60, act: (page) => open(page, 'Lull Globe') },
  { seconds: 60, act: async (page) => (await buy(page), await shelf(page, 'All')) },
  { seconds: 50, act: (page) => open(page, 'Perch Stool') },
  { seconds: 60, act: (page) => page.getByRole('link', { name: /^Cart/ }).click() },
  { seconds: 70, act: (page) => page.getByRole('button', { name: 'Checkout' }).click() },
  { seconds: 40, act: (page) => shelf(page, 'All') },
]

const open = (page: Page, name: string) =>
  page.getByRole('heading', { name, level: 3 }).first().getByRole('link').click()
const buy = (page: Page) => page.getByRole('button', { name: 'Add to cart' }).click()
const shelf = (page: Page, name: string) => page.getByRole('link', { name, exact: true }).first().click()

export async function measureBrowse(
  shop: Shop,
  browser: Browser,
  { live, changesPerMinute, speed }: BrowseOptions,
): Promise<number> {
  const visitor = await visit(browser, shop.url, '/', { live, speed })
  const catalogue = changeCatalogue(shop, changesPerMinute, speed)
  for (const { seconds, act } of STEPS) {
    await act(visitor.page)
    await lookAround(visitor.page, (seconds * 1_000) / speed)
  }
  catalogue.stop()
  const { total } = shop.calls.read()
  await visitor.close()
  return total
}

/** Reads, scrolls down a little, reads on. */
async function lookAround(page: Page, forMs: number): Promise<void> {
  const glances = 8
  for (let glance = 0; glance < glances; glance++) {
    await page.mouse.wheel(0, 400)
    await page.waitForTimeout(forMs / glances)
  }
}

/** Changes come evenly spread over the visit and over the catalogue, the same in every run. */
function changeCatalogue(shop: Shop, perMinute: number, speed: number): { stop(): void } {
  const ids = shop.store.all().map(({ id }) => id)
  const changes = Math.round((perMinute * VISIT_MS) / 60_000)
  if (changes === 0) return { stop() {} }
  let at = 0
  const timer = setInterval(
    () => {
      const id = ids[(at * 17) % ids.length]
      at += 1
      if (at >= changes) clearInterval(timer)
      void fetch(`${shop.url}/api/admin/products/${id}`, {
        method: 'PATCH',
        body: JSON.stringify(patchOf(shop, id ?? '', at)),
      })
    },
    VISIT_MS / changes / speed,
  )
  return { stop: () => clearInterval(timer) }
}

/** Two of three are stocks, since most of what happens in a shop is that somebody buys something. */
function patchOf(shop: Shop, id: string, at: number): ProductPatch {
  const { stock = 0, price = 0 } = shop.store.byId(id) ?? {}
  return at % 3 === 0 ? { price: price + 100 } : { stock: stock > 5 ? stock - 1 : stock + 20 }
}
