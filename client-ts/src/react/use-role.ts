/** Gives products a role while the component is mounted. */
import { useEffect } from 'react'
import type { ProductRole } from '../options.js'
import { claimRole } from '../role-claims.js'
import { useSync } from './sync-context.js'
import type { HoldBinding } from './use-followed-product.js'

/** What a page uses products for: options of `useCheckoutSync`, and of SWR's `useCartSync`. */
export interface ProductsInUse {
  /** The products. A new array on every render is no change. */
  readonly productIds: Iterable<string | number>
  /**
   * Whether to follow them.
   * @default true
   */
  readonly enabled?: boolean
}

/** In no product id. */
const SEPARATOR = ' '

/** A new array on every render is no change: only other ids are. */
export function useRole(
  role: ProductRole,
  productIds: Iterable<string | number> | undefined,
  hold: HoldBinding,
): void {
  const sync = useSync()
  const joined = productIds && [...productIds].map(String).sort().join(SEPARATOR)
  useEffect(() => {
    if (joined === undefined) return
    const held = hold()
    const claim = claimRole(sync.roles, role)
    claim.set(joined === '' ? [] : joined.split(SEPARATOR))
    return () => {
      claim.set([])
      held.release()
    }
  }, [sync, hold, role, joined])
}
