'use client'
/**
 * React hooks over SWR, under the names of those for TanStack Query.
 *
 * ```tsx
 * const { ref } = useProductWebSocket({ productId: product.id })
 * ```
 * A list of `useSWRInfinite` is refetched by the shop: `useProductUpdates(id, () => mutate())`, with its own `mutate`.
 */
import {
  type Context,
  createContext,
  createElement,
  type ReactElement,
  type ReactNode,
  useCallback,
  useContext,
} from 'react'
import { useSWRConfig } from 'swr'
import { createBindingRegistry } from './binding-registry.js'
import type { ProductSync } from './options.js'
import { SyncProvider, useSync } from './react/sync-context.js'
import {
  type HoldBinding,
  type ProductWebSocket,
  type ProductWebSocketOptions,
  useFollowedProduct,
} from './react/use-followed-product.js'
import { useLatest } from './react/use-latest.js'
import { type ProductsInUse, useRole } from './react/use-role.js'
import { createSwrBinding, type SwrBinding, type SwrBindingOptions, type SwrLike } from './swr-binding.js'

export { configureProductSync } from './page-sync.js'
export type { ProductIdOptions } from './product-ids.js'
export type { ProductWebSocket, ProductWebSocketOptions } from './react/use-followed-product.js'
export type { InViewOptions, InViewRef } from './react/use-in-view.js'
export type { ProductsInUse } from './react/use-role.js'
export {
  type ProductUpdatesOptions,
  useProductSyncStatus,
  useProductUpdates,
} from './react/use-sync-state.js'
export type { SwrBindingOptions, SwrLike } from './swr-binding.js'
export type { SwrKeyMatch, SwrKeys } from './swr-keys.js'

/** Props of {@link ProductSyncProvider}. */
export interface ProductSyncProviderProps {
  /**
   * The sync that the components below use. Make it outside of components, or in `useState(() => createProductSync(…))`.
   * @default the page's, made from `configureProductSync` or the environment variable NEXT_PUBLIC_WEBSOCKET_URL, or
   * else for `http://localhost:3003`
   */
  readonly sync?: ProductSync
  /**
   * Where the shop keeps its products in the cache, and how long changes are collected. Read when the first component
   * needs it.
   * @default SwrBindingOptions' own
   */
  readonly swr?: SwrBindingOptions
  readonly children?: ReactNode
}

const SwrContext: Context<SwrBindingOptions | undefined> = createContext<SwrBindingOptions | undefined>(
  undefined,
)
const bindings = createBindingRegistry<SwrLike['cache'], SwrBinding>()

/** Says which sync the components below use, and how the cache is bound. Optional when the defaults fit. */
export function ProductSyncProvider({ sync, swr, children }: ProductSyncProviderProps): ReactElement {
  return createElement(SyncProvider, { sync }, createElement(SwrContext.Provider, { value: swr }, children))
}

/**
 * Binds an SWR cache without React's hooks, with what `useSWRConfig()` gives or SWR exports. Returns a stop.
 */
export function bindSwr(sync: ProductSync, swr: SwrLike, options: SwrBindingOptions = {}): () => void {
  return createSwrBinding(sync, swr, options).stop
}

/**
 * Keeps a product current while the element with the `ref` is in view, or, on its own page, while the component is
 * mounted. It never renders by itself.
 */
export function useProductWebSocket(options: ProductWebSocketOptions): ProductWebSocket {
  return useFollowedProduct(options, useSwrBinding())
}

/** Follows the products in the cart while the component is mounted. Use it once, around the page. */
export function useCartSync({ productIds, enabled = true }: ProductsInUse): void {
  useRole('cart', enabled ? productIds : undefined, useSwrBinding())
}

/**
 * Says which products are about to be paid, while the component is mounted: their changes are fetched at once. Prices
 * can still change between the last fetch and the order, so the shop checks them when the order is placed.
 */
export function useCheckoutSync({ productIds, enabled = true }: ProductsInUse): void {
  useRole('checkout', enabled ? productIds : undefined, useSwrBinding())
}

function useSwrBinding(): HoldBinding {
  const { cache, mutate } = useSWRConfig()
  const sync = useSync()
  const options = useLatest(useContext(SwrContext))
  return useCallback(() => {
    const { bound, release } = bindings.hold(cache, sync, () =>
      createSwrBinding(sync, { cache, mutate }, options.current),
    )
    // SWR dates no data. What a component shows was fetched for it when it came, or for a change after that.
    const cameAt = Date.now()
    const since = (productId: string) => Math.max(cameAt, bound.fetchedAt(productId) ?? 0)
    return { bound: { since }, release }
  }, [cache, mutate, sync, options])
}
