/**
 * Which products the page uses for what. Only sets of ids: who follows them, and how fast they are fetched, is decided by
 * those who listen.
 */
import { createListeners } from './listeners.js'
import type { ProductRole, ProductRoles } from './options.js'

/** Every role, the most urgent first. */
export const ROLES: readonly ProductRole[] = ['checkout', 'detail', 'cart']

/** Makes empty roles. */
export function createRoles(onThrow: (error: unknown) => void): ProductRoles {
  const sets: Record<ProductRole, ReadonlySet<string>> = {
    checkout: new Set(),
    detail: new Set(),
    cart: new Set(),
  }
  const listeners = createListeners<[]>(onThrow)
  return {
    get: (role) => sets[role],
    has: (role, productId) => sets[role].has(String(productId)),
    set(role, productIds) {
      const next = new Set(Array.from(productIds, String))
      // Components set them after every render; only a difference is news.
      if (next.size === sets[role].size && [...next].every((id) => sets[role].has(id))) return
      sets[role] = next
      listeners.tell()
    },
    onChange: (listener) => listeners.add(listener),
  }
}

/** The roles a product has. */
export function rolesOf(roles: ProductRoles, productId: string): ProductRole[] {
  return ROLES.filter((role) => roles.has(role, productId))
}
