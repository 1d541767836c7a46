/** Follows what is in the cart, read from the query cache. It makes no observer, so it neither fetches nor keeps data. */
import { useQueryClient } from '@tanstack/react-query'
import { useEffect } from 'react'
import { claimRole } from '../role-claims.js'
import { useSync } from './sync-context.js'
import { useLatest } from './use-latest.js'
import { useQueryBinding } from './use-query-binding.js'
import { useRole } from './use-role.js'

/** Options of {@link useCartSync}. */
export interface CartSyncOptions {
  /**
   * The products in the cart: ids, for a cart that is not in the query cache, or a function that finds them in the data
   * of the cart's queries.
   * @default found in the data of the queries under `keys.cart`, `['cart']`
   */
  readonly productIds?: Iterable<string | number> | ((cart: unknown) => Iterable<string | number>)
  /**
   * Whether to follow them.
   * @default true
   */
  readonly enabled?: boolean
}

/**
 * Follows the products in the cart while the component is mounted, wherever on the site the visitor is. Use it once,
 * around the page.
 */
export function useCartSync({ productIds, enabled = true }: CartSyncOptions = {}): void {
  const client = useQueryClient()
  const sync = useSync()
  const hold = useQueryBinding()
  const find = typeof productIds === 'function' ? productIds : undefined
  const given = typeof productIds === 'function' ? undefined : productIds
  const latestFind = useLatest(find)
  useRole('cart', enabled ? given : undefined, hold)

  const isInCache = enabled && given === undefined
  useEffect(() => {
    if (!isInCache) return
    const { bound, release } = hold()
    const { isCart, listed } = bound.matcher
    const claim = claimRole(sync.roles, 'cart')
    const cache = client.getQueryCache()
    let isReading = false
    let isStopped = false

    function read(): void {
      isReading = false
      if (isStopped) return
      const carts = cache.findAll({ predicate: (query) => isCart(query) && query.state.data !== undefined })
      claim.set(carts.flatMap(({ state }) => [...(latestFind.current ?? listed)(state.data)]))
    }

    // The cache also tells while React renders, when nothing else may be set: read once that is over.
    const stop = cache.subscribe(({ type, query }) => {
      if (isReading || !READ_AFTER.has(type) || !isCart(query)) return
      isReading = true
      queueMicrotask(read)
    })
    read()
    return () => {
      isStopped = true
      stop()
      claim.set([])
      release()
    }
  }, [client, sync, hold, isInCache, latestFind])
}

const READ_AFTER: ReadonlySet<string> = new Set(['added', 'updated', 'removed'])
