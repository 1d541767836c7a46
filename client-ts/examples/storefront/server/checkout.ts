/**
 * The last word before money moves. An order says what the visitor saw; if anything of it is not so any more, nothing is
 * sold and the answer says what, for the visitor to agree to. Events make this rare; only this makes it right.
 */
import type { PublishEvent } from '@shelfcast/client/publisher'
import type { Correction, Order, OrderAnswer } from '../../checkout-validation/order'
import type { Carts } from './carts'
import type { Store } from './store'

const REMEMBERED_MAX = 10_000

export interface Checkout {
  /** Sells at most once per key: whoever did not hear the answer may ask again. `events` are the stocks that went down. */
  place(visitor: string, order: Order, key: string): { answer: OrderAnswer; events: readonly PublishEvent[] }
}

export function createCheckout(store: Store, carts: Carts): Checkout {
  const answers = new Map<string, OrderAnswer>()
  let sold = 0

  function remember(key: string, answer: OrderAnswer): OrderAnswer {
    const [oldest] = answers.keys()
    if (oldest !== undefined && answers.size >= REMEMBERED_MAX) answers.delete(oldest)
    answers.set(key, answer)
    return answer
  }

  return {
    place(visitor, order, key) {
      const known = answers.get(key)
      if (known) return { answer: known, events: [] }
      const corrections = correctionsOf(store, order)
      if (corrections.length > 0) {
        return { answer: remember(key, { needsUpdate: true, corrections }), events: [] }
      }
      const events = order.lines.flatMap(({ productId, quantity }) => {
        carts.put(visitor, productId, 0)
        return store.change(productId, { stock: (store.byId(productId)?.stock ?? 0) - quantity })
      })
      sold += 1
      return { answer: remember(key, { needsUpdate: false, orderNumber: `V-${10_000 + sold}` }), events }
    },
  }
}

function correctionsOf(store: Store, order: Order): readonly Correction[] {
  return order.lines.flatMap(({ productId, quantity, unitPrice }) => {
    const product = store.byId(productId)
    const left = Math.min(quantity, product?.stock ?? 0)
    const corrections: Correction[] = []
    if (left !== quantity) corrections.push({ productId, field: 'quantity', from: quantity, to: left })
    if (product && left > 0 && product.finalPrice !== unitPrice) {
      corrections.push({ productId, field: 'unitPrice', from: unitPrice, to: product.finalPrice })
    }
    return corrections
  })
}
