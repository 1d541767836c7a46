/**
 * Lets several parts of a page use products for the same thing: a product keeps its role until the last of them is done
 * with it. What the shop sets itself, through `sync.roles` or the store, stays beside it.
 */
import type { ProductRole, ProductRoles } from './options.js'

/** What one part of a page uses. */
export interface RoleClaim {
  /** Replaces what this part uses. */
  set(productIds: Iterable<string | number>): void
}

type Counts = Record<ProductRole, Map<string, number>>
const countsOf = new WeakMap<ProductRoles, Counts>()

export function claimRole(roles: ProductRoles, role: ProductRole): RoleClaim {
  const counts = countsOf.get(roles) ?? { detail: new Map(), cart: new Map(), checkout: new Map() }
  countsOf.set(roles, counts)
  const users = counts[role]
  let own: ReadonlySet<string> = new Set()

  return {
    set(productIds) {
      const next = new Set([...productIds].map(String))
      const ids = new Set(roles.get(role))
      for (const id of next) {
        if (!own.has(id)) users.set(id, (users.get(id) ?? 0) + 1)
        ids.add(id)
      }
      for (const id of own) {
        if (next.has(id)) continue
        const left = (users.get(id) ?? 1) - 1
        if (left > 0) users.set(id, left)
        else {
          users.delete(id)
          ids.delete(id)
        }
      }
      own = next
      roles.set(role, ids)
    },
  }
}
