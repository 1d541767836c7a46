/** Somebody with the shop open: what they see, and what their page does behind it. */
import type { Browser, BrowserContext, Locator, Page } from 'playwright-core'
import type { ProductSync } from '../../../src/index.js'
import { type Wire, watchWire } from './wire.js'

/** What the shop's page shows to its developers. */
declare global {
  interface Window {
    shop: { sync: ProductSync; renders: Map<string, number> }
    /** Gone if the document was loaded anew. */
    sameDocument?: boolean
  }
}

export type Live = 'socket' | 'sse' | 'poll'

export interface VisitOptions {
  readonly live?: Live
  /** Divides every waiting time of the page. */
  readonly speed?: number
  /** A cart to begin with: how many of which product. */
  readonly cart?: Readonly<Record<string, number>>
  readonly viewport?: { readonly width: number; readonly height: number }
  readonly colorScheme?: 'light' | 'dark'
  /** What goes wrong in the network is part of the test. */
  readonly allowNetworkErrors?: boolean
}

export interface Visitor {
  readonly page: Page
  readonly wire: Wire
  /** The card, cart line or page of a product. */
  product(id: string): Locator
  /** The products that the page follows and the gateway has joined. */
  joined(): Promise<readonly string[]>
  connected(): Promise<void>
  /** How often each card was rendered. */
  renders(): Promise<Readonly<Record<string, number>>>
  isSameDocument(): Promise<boolean>
  close(): Promise<void>
}

export async function visit(
  browser: Browser,
  shopUrl: string,
  path: string,
  { live = 'socket', speed = 1, cart = {}, viewport, colorScheme, allowNetworkErrors }: VisitOptions = {},
): Promise<Visitor> {
  const context = await browser.newContext({
    ...(viewport && { viewport }),
    ...(colorScheme && { colorScheme }),
  })
  for (const [id, quantity] of Object.entries(cart)) {
    await context.request.put(`${shopUrl}/api/cart/${id}`, { data: JSON.stringify({ quantity }) })
  }
  const page = await context.newPage()
  const problems = watchForProblems(page, allowNetworkErrors)
  const wire = watchWire(page)
  await page.goto(`${shopUrl}${path}?live=${live}&speed=${speed}`)
  await page.evaluate(() => {
    window.sameDocument = true
  })
  const visitor = visitorOf(page, context, wire, problems)
  if (live !== 'poll') await visitor.connected()
  return visitor
}

export function visitorOf(
  page: Page,
  context: BrowserContext,
  wire: Wire = watchWire(page),
  problems: readonly string[] = [],
): Visitor {
  return {
    page,
    wire,
    product: (id) => page.locator(`[data-product="${id}"]`).first(),
    joined: () =>
      page.evaluate(() =>
        window.shop.sync
          .inspect()
          .filter(({ state }) => state === 'joined')
          .map(({ productId }) => productId),
      ),
    // Attached, not visible: the page behind a tab counts too.
    connected: () => page.locator('.live[data-status="connected"]').waitFor({ state: 'attached' }),
    renders: () => page.evaluate(() => Object.fromEntries(window.shop.renders)),
    isSameDocument: () => page.evaluate(() => window.sameDocument === true),
    async close() {
      await context.close()
      if (problems.length > 0) throw new Error(`the page reported:\n${problems.join('\n')}`)
    },
  }
}

function watchForProblems(page: Page, allowNetworkErrors = false): readonly string[] {
  const problems: string[] = []
  page.on('pageerror', (error) => problems.push(String(error)))
  page.on('console', (message) => {
    const isNetwork = /net::ERR_|Failed to load resource|WebSocket connection to/.test(message.text())
    if (message.type() === 'error' && !(isNetwork && allowNetworkErrors)) problems.push(message.text())
  })
  return problems
}
