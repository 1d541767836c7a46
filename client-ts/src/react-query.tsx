'use client'
/**
 * React hooks over TanStack Query v5: a provider around the page, and one line in each component that shows a product.
 *
 * ```tsx
 * function Card({ product }: { product: Product }) {
 *   const { ref } = useProductWebSocket({ productId: product.id })
 *   return <article ref={ref}>…</article>
 * }
 * ```
 * Nothing here renders anything again; the query cache does, when it has something new.
 */
import type { ReactElement, ReactNode } from 'react'
import type { ProductSync } from './options.js'
import type { QueryBindingOptions } from './query-binding.js'
import { SyncProvider } from './react/sync-context.js'
import {
  type ProductWebSocket,
  type ProductWebSocketOptions,
  useFollowedProduct,
} from './react/use-followed-product.js'
import { QueriesContext, useQueryBinding } from './react/use-query-binding.js'
import { type ProductsInUse, useRole } from './react/use-role.js'

export { configureProductSync } from './page-sync.js'
export type { QueryBindingOptions } from './query-binding.js'
export { type CartSyncOptions, useCartSync } from './react/use-cart-sync.js'
export type { ProductWebSocket, ProductWebSocketOptions } from './react/use-followed-product.js'
export type { InViewOptions, InViewRef } from './react/use-in-view.js'
export type { ProductsInUse } from './react/use-role.js'
export {
  type ProductUpdatesOptions,
  useProductSyncStatus,
  useProductUpdates,
} from './react/use-sync-state.js'

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
   * @default QueryBindingOptions' own
   */
  readonly queries?: QueryBindingOptions
  readonly children?: ReactNode
}

/** Says which sync the components below use, and how their queries are bound. Optional when the defaults fit. */
export function ProductSyncProvider({ sync, queries, children }: ProductSyncProviderProps): ReactElement {
  return (
    <SyncProvider sync={sync}>
      <QueriesContext.Provider value={queries}>{children}</QueriesContext.Provider>
    </SyncProvider>
  )
}

/**
 * Keeps a product current while the element with the `ref` is in view, or, on its own page, while the component is
 * mounted. It never renders by itself.
 */
export function useProductWebSocket(options: ProductWebSocketOptions): ProductWebSocket {
  return useFollowedProduct(options, useQueryBinding())
}

/**
 * Says which products are about to be paid, while the component is mounted: their changes are fetched at once. Prices
 * can still change between the last fetch and the order, so the shop checks them when the order is placed.
 */
export function useCheckoutSync({ productIds, enabled = true }: ProductsInUse): void {
  useRole('checkout', enabled ? productIds : undefined, useQueryBinding())
}
