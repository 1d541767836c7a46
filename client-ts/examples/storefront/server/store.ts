/**
 * The shop's truth: every product, as it is now. Each change returns what happened, in the words the gateway takes;
 * telling the gateway is somebody else's work. In memory: a restart opens the shop as new.
 */
import type { PublishEvent } from '@shelfcast/client/publisher'
import type { Product, ProductPatch, Sale } from '../shared/types'
import { CATALOGUE, type Item } from './catalogue'

export interface Store {
  all(): readonly Product[]
  byId(productId: string): Product | undefined
  bySlug(slug: string): Product | undefined
  /** Changes a product and tells what changed: one event each for its price, its stock, its sale and the rest. */
  change(productId: string, patch: ProductPatch): readonly PublishEvent[]
  /** The sales whose time is over end. */
  endSales(nowMs?: number): readonly PublishEvent[]
  /** Everything as on the first day. */
  reset(): void
}

export function createStore(items: readonly Item[] = CATALOGUE): Store {
  const products = new Map<string, Product>()

  function reset(): void {
    products.clear()
    items.forEach((item, at) => {
      const id = `vt-${101 + at}`
      const sale = item.sale ?? null
      products.set(id, {
        ...item,
        id,
        slug: slugOf(item.name),
        sale,
        finalPrice: discounted(item.price, sale),
      })
    })
  }

  function change(productId: string, patch: ProductPatch): readonly PublishEvent[] {
    const before = products.get(productId)
    if (!before) return []
    const next = { ...before, ...patch }
    const after: Product = { ...next, finalPrice: discounted(next.price, next.sale) }
    products.set(productId, after)
    return eventsOf(before, after)
  }

  reset()
  return {
    all: () => [...products.values()],
    byId: (productId) => products.get(productId),
    bySlug: (slug) => [...products.values()].find((product) => product.slug === slug),
    change,
    endSales: (nowMs = Date.now()) =>
      [...products.values()]
        .filter(({ sale }) => sale?.endsAt && Date.parse(sale.endsAt) <= nowMs)
        .flatMap(({ id }) => change(id, { sale: null })),
    reset,
  }
}

function eventsOf(before: Product, after: Product): readonly PublishEvent[] {
  const timestamp = new Date().toISOString()
  const { id: productId, name, price, stock } = after
  const events: PublishEvent[] = []
  if (before.price !== price) {
    const data = { productId, oldPrice: before.price, newPrice: price, timestamp }
    events.push({ productId, type: 'price_update', data, timestamp })
  }
  if (before.stock !== stock) {
    const data = { productId, productName: name, currentStock: stock, previousStock: before.stock, timestamp }
    events.push({ productId, type: 'inventory_update', data, timestamp })
  }
  if (JSON.stringify(before.sale) !== JSON.stringify(after.sale)) {
    const data = { productId, active: after.sale !== null, ...after.sale, timestamp }
    events.push({ productId, type: 'sale_update', data, timestamp })
  }
  if (before.name !== name) {
    const data = { productId, name, price, stock, action: 'updated', timestamp } as const
    events.push({ productId, type: 'product_update', data, timestamp })
  }
  return events
}

/** Rounded to whole cents, to the shop's favour by at most half of one. */
const discounted = (price: number, sale: Sale | null): number =>
  sale ? Math.round((price * (100 - sale.discountPercentage)) / 100) : price

const slugOf = (name: string): string => name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')
