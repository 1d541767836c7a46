/**
 * TanStack Query v5, in any framework: React, Vue, Svelte, Solid, or none. React has hooks on top, in `react-query.tsx`.
 *
 * ```ts
 * const stop = bindQueryClient(sync, queryClient)
 * const leave = sync.subscribe('p1', { since: () => dataSince(queryClient, 'p1') })
 * ```
 */
import type { ProductSync } from './options.js'
import { createQueryBinding, oldestData, type QueryBindingOptions } from './query-binding.js'
import type { QueryClientLike } from './query-client.js'
import { createQueryMatcher, type QueryMatcher, type QueryMatchOptions } from './query-matcher.js'

export type { Scope, WindowsOptions } from './change-windows.js'
export type { Patch } from './patch.js'
export type { ProductIdOptions } from './product-ids.js'
export type { QueryBindingOptions } from './query-binding.js'
export type { QueryCacheLike, QueryClientLike, QueryLike } from './query-client.js'
export type { KeyMatch, QueryKeys } from './query-keys.js'
export type { QueryMatchOptions } from './query-matcher.js'

/**
 * Keeps the queries of a client current with what a sync hears, until the returned stop is called. It subscribes the
 * products on the detail page, in the cart and in checkout (`sync.roles`); those on screen are subscribed by the page.
 */
export function bindQueryClient(
  sync: ProductSync,
  queryClient: QueryClientLike,
  options: QueryBindingOptions = {},
): () => void {
  return createQueryBinding(sync, queryClient, options).stop
}

/**
 * When the oldest cached data that shows a product was fetched: the `since` of a subscriber, so that it hears what
 * changed after that.
 */
export function dataSince(
  queryClient: QueryClientLike,
  productId: string | number,
  options: QueryMatchOptions = DEFAULTS,
): number | undefined {
  const matcher = matchers.get(options) ?? createQueryMatcher({ has: () => false }, options)
  matchers.set(options, matcher)
  return oldestData(queryClient, matcher, String(productId))
}

const DEFAULTS: QueryMatchOptions = {}
/** A grid asks for every card, and a matcher remembers what it has read. */
const matchers = new WeakMap<QueryMatchOptions, QueryMatcher>()
