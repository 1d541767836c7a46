/** The carts of all visitors. A cart holds wishes (product and quantity); prices are looked up whenever it is shown. */
import type { Cart, CartLine } from '../shared/types'
import type { Store } from './store'

const SHIPPING = 690
const FREE_SHIPPING_FROM = 12_000

export interface Carts {
  show(visitor: string): Cart
  /** At 0 the line goes. More than there is may be wished for; it is not sold. */
  put(visitor: string, productId: string, wanted: number): void
  empty(visitor: string): void
  reset(): void
}

export function createCarts(store: Store): Carts {
  const wishes = new Map<string, Map<string, number>>()

  function put(visitor: string, productId: string, wanted: number): void {
    const own = wishes.get(visitor) ?? new Map<string, number>()
    wishes.set(visitor, own)
    if (wanted > 0) own.set(productId, wanted)
    else own.delete(productId)
  }

  return {
    show: (visitor) => summed(store, wishes.get(visitor) ?? new Map()),
    put,
    empty: (visitor) => void wishes.delete(visitor),
    reset: () => wishes.clear(),
  }
}

/** What is sold out stays in the cart, to be seen, and costs nothing. */
function summed(store: Store, wishes: ReadonlyMap<string, number>): Cart {
  const lines: CartLine[] = []
  for (const [productId, wanted] of wishes) {
    const product = store.byId(productId)
    if (!product) continue
    const quantity = Math.min(wanted, product.stock)
    lines.push({ productId, product, wanted, quantity, total: product.finalPrice * quantity })
  }
  const subtotal = lines.reduce((sum, line) => sum + line.total, 0)
  const shipping = subtotal === 0 || subtotal >= FREE_SHIPPING_FROM ? 0 : SHIPPING
  const count = lines.reduce((sum, line) => sum + line.quantity, 0)
  return { lines, count, subtotal, shipping, total: subtotal + shipping }
}
