/**
 * When a change is acted upon: each scope collects in one window of its own, over all products, so that a list is
 * fetched once however many of its products change. A product in checkout waits for nothing.
 */
import type { ProductChange, ProductSync } from './options.js'
import { createWindow, type Window } from './window.js'

/** What data is for. Each scope has its own window. */
export type Scope = 'list' | 'detail' | 'cart' | 'checkout'

/** Changes by product, oldest first. */
export type Changes = ReadonlyMap<string, readonly ProductChange[]>

/** Options of the windows. */
export interface WindowsOptions {
  /**
   * How long changes are collected, from the first one on, before they are fetched. What is in checkout is always
   * fetched at once.
   * @default { listMs: 1000, detailMs: 500, cartMs: 1000 }
   */
  readonly windows?: { readonly listMs?: number; readonly detailMs?: number; readonly cartMs?: number }
  /**
   * A source of random numbers in [0, 1), for tests. Used only when the gateway asks to spread the fetches.
   * @default Math.random
   */
  readonly random?: () => number
}

/** Who acts upon the changes. */
export interface ChangeHandlers {
  /** It is time for these scopes, the most urgent first. */
  flush(scopes: readonly [Scope, ...Scope[]], changes: Changes): void
  /** The windows were closed before it was time. */
  abandon(scope: Scope, changes: Changes): void
}

/** Listens to a sync until the returned stop is called. */
export function collectChanges(
  sync: ProductSync,
  { windows = {}, random = Math.random }: WindowsOptions,
  handlers: ChangeHandlers,
): () => void {
  const open = (scope: Scope, delayMs: number): Window<ProductChange> =>
    createWindow({ delayMs, random, flush: (changes) => handlers.flush([scope], changes) })
  const list = open('list', windows.listMs ?? 1_000)
  const detail = open('detail', windows.detailMs ?? 500)
  const cart = open('cart', windows.cartMs ?? 1_000)

  // "At once" is once for all that one message says, or a word to refetch twenty products would fetch the order twice.
  let urgent = new Map<string, readonly ProductChange[]>()
  function flushUrgent(): void {
    const changes = urgent
    urgent = new Map()
    handlers.flush(['checkout', 'cart', 'detail'], changes)
  }

  const stop = sync.onProductChange((change) => {
    const { productId, spreadMs } = change
    list.add(productId, change, spreadMs)
    if (sync.roles.has('checkout', productId)) {
      if (urgent.size === 0) queueMicrotask(flushUrgent)
      // What waits for the same product goes along, or it would be fetched a second time.
      urgent.set(productId, [...(urgent.get(productId) ?? detail.take(productId)), change])
      cart.take(productId)
    } else {
      detail.add(productId, change, spreadMs)
      cart.add(productId, change, spreadMs)
    }
  })

  let stopped = false
  return () => {
    if (stopped) return
    stopped = true
    stop()
    handlers.abandon('list', list.close())
    handlers.abandon('detail', detail.close())
    handlers.abandon('cart', cart.close())
  }
}
