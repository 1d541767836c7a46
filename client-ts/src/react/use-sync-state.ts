/** What components may watch of a sync. Only `useProductSyncStatus` renders again by itself. */
import { useEffect, useSyncExternalStore } from 'react'
import type { ProductChange, ProductSyncSnapshot } from '../options.js'
import { useSync } from './sync-context.js'
import { isKnown } from './use-followed-product.js'
import { useLatest } from './use-latest.js'

/** As long as there is no page nothing is connected. */
const ON_THE_SERVER: ProductSyncSnapshot = {
  status: 'idle',
  authenticated: false,
  rooms: 0,
  attempt: 0,
  lastError: undefined,
}

/** The state of the connection, for a "live" dot or a notice that prices may be old. Renders when it changes. */
export function useProductSyncStatus(): ProductSyncSnapshot {
  const sync = useSync()
  return useSyncExternalStore(sync.onSnapshot, sync.getSnapshot, () => ON_THE_SERVER)
}

/** Options of {@link useProductUpdates}. */
export interface ProductUpdatesOptions {
  /**
   * Whether to listen.
   * @default true
   */
  readonly enabled?: boolean
}

/**
 * Hears every change of a product while the component is mounted, as it comes from the gateway: for a toast, a flash of
 * colour, a log. Fetching needs none of this. `onChange` may be a new function on every render.
 */
export function useProductUpdates(
  productId: string | number | null | undefined,
  onChange: (change: ProductChange) => void,
  options: ProductUpdatesOptions = {},
): void {
  const { enabled = true } = options
  const sync = useSync()
  const latest = useLatest(onChange)
  useEffect(() => {
    if (!enabled || !isKnown(productId)) return
    return sync.subscribe(productId, { onChange: (change) => latest.current(change), why: 'updates' })
  }, [sync, productId, enabled, latest])
}
