/**
 * The sync of this page, for those who do not pass one around: the provider's while there is one, else one made from
 * `configureProductSync` or the environment when it is first asked for. It is made, never opened: that is for the
 * first subscriber.
 */
import type { ProductSync, ProductSyncOptions } from './options.js'
import { createProductSync } from './product-sync.js'

// Replaced by the bundler where there is one that knows the name (Next, webpack); must stay spelled out for that.
declare const process: { readonly env: { readonly NEXT_PUBLIC_WEBSOCKET_URL?: string } }

const DEFAULT_URL = 'http://localhost:3003'
const LOCAL = /^127\.|^\[::1\]$|\blocalhost$/

let configured: ProductSyncOptions | undefined
let made: ProductSync | undefined
let adopted: readonly ProductSync[] = []
let known: ProductSync | undefined
const listeners = new Set<() => void>()

/**
 * Sets how the page's sync is made. Call it once, before the first component. A second call, by hot reloading say,
 * disposes the sync that the first one led to, so that no second connection is left behind.
 */
export function configureProductSync(options: ProductSyncOptions): void {
  configured = options
  made?.dispose()
  made = undefined
  notify()
}

/** The page's sync. */
export function pageSync(): ProductSync {
  const last = adopted.at(-1)
  if (last) return last
  if (!made) {
    made = createProductSync(configured ?? { url: environmentUrl() ?? defaultUrl() })
    notify()
  }
  return made
}

/** The page's sync, if there is one already. */
export function knownPageSync(): ProductSync | undefined {
  return adopted.at(-1) ?? made
}

/** Makes a provider's sync the page's, until the returned stop is called. */
export function adoptPageSync(sync: ProductSync): () => void {
  adopted = [...adopted, sync]
  notify()
  let stopped = false
  return () => {
    if (stopped) return
    stopped = true
    const index = adopted.lastIndexOf(sync)
    adopted = adopted.filter((_, at) => at !== index)
    notify()
  }
}

/** Called when {@link knownPageSync} is another one. Returns a stop. */
export function onPageSync(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

function notify(): void {
  const now = knownPageSync()
  if (now === known) return
  known = now
  for (const listener of listeners) listener()
}

/** Fit for a developer's machine. On any other page it is a forgotten setting, and silence would hide that. */
function defaultUrl(): string {
  if (typeof location !== 'undefined' && !LOCAL.test(location.hostname)) {
    console.warn(`NEXT_PUBLIC_WEBSOCKET_URL is not set, trying ${DEFAULT_URL}`)
  }
  return DEFAULT_URL
}

function environmentUrl(): string | undefined {
  try {
    return process.env.NEXT_PUBLIC_WEBSOCKET_URL || undefined
  } catch {
    return undefined // a browser without `process`, and nothing was put in its place
  }
}
