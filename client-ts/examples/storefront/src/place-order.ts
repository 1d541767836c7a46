/**
 * Placing an order, with the flow of `examples/checkout-validation`: it sends what the visitor saw, and if the shop
 * corrects it, exactly what the visitor then accepts.
 */
import { useQueryClient } from '@tanstack/react-query'
import { useEffect, useRef, useState, useSyncExternalStore } from 'react'
import {
  type CheckoutFlow,
  type CheckoutState,
  createCheckoutFlow,
} from '../../checkout-validation/checkout-flow'
import type { Order } from '../../checkout-validation/order'
import type { Cart, Contact } from '../shared/types'
import { sendOrder } from './api'
import { keys } from './queries'

export interface PlaceOrder {
  readonly state: CheckoutState
  readonly flow: CheckoutFlow
  place(contact: Contact, cart: Cart): void
}

export function usePlaceOrder(): PlaceOrder {
  const client = useQueryClient()
  const contact = useRef<Contact>(undefined)
  const [flow] = useState(() =>
    createCheckoutFlow({ send: (order, key) => sendOrder(contact.current, order, key) }),
  )
  const state = useSyncExternalStore(flow.onState, flow.getState)

  // What the shop corrected, or sold, is so in the cart too.
  useEffect(() => {
    if (state.step !== 'confirming' && state.step !== 'placed') return
    void client.invalidateQueries({ queryKey: keys.cart })
    void client.invalidateQueries({ queryKey: keys.checkout })
  }, [client, state])

  return {
    state,
    flow,
    place(from, cart) {
      contact.current = from
      flow.place(orderOf(cart))
    },
  }
}

/** What is sold out is on the screen, and not in the order. */
const orderOf = (cart: Cart): Order => ({
  lines: cart.lines
    .filter(({ quantity }) => quantity > 0)
    .map(({ productId, quantity, product }) => ({ productId, quantity, unitPrice: product.finalPrice })),
})
