/**
 * Subscribes what the page has in use (detail page, cart, checkout), so that it is caught up with from when its data
 * was fetched. The sync alone would follow these products too, but only from the moment of joining on.
 */
import type { ProductRole, ProductSync } from './options.js'

/** Best first: a product in checkout is in the cart as well, and one reason is enough for a debug line. */
const WHY: readonly (readonly [ProductRole, string])[] = [
  ['detail', 'detail page'],
  ['checkout', 'checkout'],
  ['cart', 'cart'],
]

/** Returns a stop. */
export function followRoles(sync: ProductSync, since: (productId: string) => number | undefined): () => void {
  const stops = new Map<string, () => void>()

  function update(): void {
    const wanted = new Map<string, string>()
    for (const [role, why] of WHY) {
      for (const id of sync.roles.get(role)) if (!wanted.has(id)) wanted.set(id, why)
    }
    for (const [id, why] of wanted) {
      if (!stops.has(id)) stops.set(id, sync.subscribe(id, { since: () => since(id), why }))
    }
    for (const [id, stop] of stops) {
      if (wanted.has(id)) continue
      stops.delete(id)
      stop()
    }
  }

  const stopRoles = sync.roles.onChange(update)
  update()
  return () => {
    stopRoles()
    for (const stop of stops.values()) stop()
    stops.clear()
  }
}
