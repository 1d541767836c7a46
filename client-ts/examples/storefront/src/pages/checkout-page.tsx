/** Where prices matter most: every product in the order is followed, and a change is fetched without waiting. */
import { useCheckoutSync } from '@shelfcast/client/react-query'
import { type FormEvent, useEffect } from 'react'
import type { CheckoutFlow } from '../../../checkout-validation/checkout-flow'
import type { Correction } from '../../../checkout-validation/order'
import type { Cart } from '../../shared/types'
import { ApiError } from '../api'
import { ProductArt } from '../art/product-art'
import { money } from '../money'
import { Announce } from '../parts/announce'
import { Sum } from '../parts/price'
import { Totals } from '../parts/totals'
import { type PlaceOrder, usePlaceOrder } from '../place-order'
import { useCheckout } from '../queries'
import { Link, navigate } from '../router'
import { isLive } from '../settings'
import { useTitle } from '../title'

export function CheckoutPage() {
  const { data: cart } = useCheckout()
  const order = usePlaceOrder()
  const orderNumber = order.state.step === 'placed' ? order.state.orderNumber : undefined
  useCheckoutSync({ productIds: cart?.lines.map((line) => line.productId) ?? [], enabled: isLive })
  useTitle('Checkout')
  useEffect(() => {
    if (orderNumber) navigate(`/thanks/${orderNumber}`)
  }, [orderNumber])
  return (
    <div className="page">
      <h1>Checkout</h1>
      {cart && <Form cart={cart} order={order} />}
    </div>
  )
}

function Form({ cart, order: { state, flow, place } }: { cart: Cart; order: PlaceOrder }) {
  function submit(event: FormEvent<HTMLFormElement>): void {
    event.preventDefault()
    const fields = new FormData(event.currentTarget)
    const field = (name: string) => String(fields.get(name) ?? '')
    place({ name: field('name'), email: field('email'), address: field('address') }, cart)
  }
  return (
    <form className="split" onSubmit={submit}>
      <ContactFields />
      <aside className="summary" aria-label="Your order">
        <Order cart={cart} />
        <Totals cart={cart} />
        {state.step === 'confirming' && (
          <Corrections corrections={state.corrections} cart={cart} flow={flow} />
        )}
        {state.step === 'failed' && <Failed error={state.error} flow={flow} />}
        {(state.step === 'editing' || state.step === 'sending') && (
          <button type="submit" className="primary" disabled={cart.count === 0 || state.step === 'sending'}>
            {cart.count === 0 ? 'Nothing to buy' : 'Place the order'}
          </button>
        )}
      </aside>
      <Announce text={`Total ${money(cart.total)}`} />
    </form>
  )
}

function ContactFields() {
  return (
    <div className="fields">
      <label>
        Your name <input name="name" autoComplete="name" required maxLength={200} />
      </label>
      <label>
        Email <input name="email" type="email" autoComplete="email" required maxLength={200} />
      </label>
      <label>
        Where it goes{' '}
        <textarea name="address" autoComplete="street-address" rows={3} required maxLength={200} />
      </label>
      <p className="quiet">
        You pay by invoice, once it has arrived. (This shop is an example and sends nothing.)
      </p>
    </div>
  )
}

function Order({ cart }: { cart: Cart }) {
  return (
    <ul className="order">
      {cart.lines.map(({ productId, product, quantity, total }) => (
        <li key={productId} className={quantity === 0 ? 'gone' : ''} data-product={productId}>
          <span className="tile">
            <ProductArt picture={product.picture} near />
          </span>
          <span>
            {product.name}
            <span className="quiet">
              {quantity === 0 ? 'Sold out' : `${quantity} × ${money(product.finalPrice)}`}
            </span>
          </span>
          {quantity > 0 && <Sum cents={total} />}
        </li>
      ))}
    </ul>
  )
}

interface CorrectionsProps {
  corrections: readonly Correction[]
  cart: Cart
  flow: CheckoutFlow
}

function Corrections({ corrections, cart, flow }: CorrectionsProps) {
  const names = new Map(cart.lines.map(({ productId, product }) => [productId, product.name]))
  return (
    <div className="corrections" role="alertdialog" aria-labelledby="corrections">
      <h2 id="corrections">Before you pay</h2>
      <ul>
        {corrections.map(({ productId, ...correction }) => (
          <li key={`${productId} ${correction.field}`}>
            {sentence(names.get(productId) ?? productId, correction)}
          </li>
        ))}
      </ul>
      <button type="button" className="primary" onClick={flow.accept}>
        Accept and place the order
      </button>
      <button type="button" className="secondary" onClick={flow.decline}>
        I’ll think again
      </button>
    </div>
  )
}

function sentence(name: string, { field, from, to }: Omit<Correction, 'productId'>): string {
  if (field === 'unitPrice') return `${name} now costs ${money(to)} instead of ${money(from)}.`
  if (to === 0) return `${name} is sold out.`
  return `${name}: there ${to === 1 ? 'is' : 'are'} ${to} instead of ${from}.`
}

function Failed({ error, flow }: { error: unknown; flow: CheckoutFlow }) {
  return (
    <div className="corrections" role="alert">
      <p>
        {error instanceof ApiError
          ? error.message
          : 'The shop does not answer. Nothing is bought twice if you try again.'}
      </p>
      <button type="button" className="primary" onClick={flow.retry}>
        Try again
      </button>
      <button type="button" className="secondary" onClick={flow.decline}>
        Back
      </button>
    </div>
  )
}

export function ThanksPage({ orderNumber }: { orderNumber: string }) {
  useTitle('Thank you')
  return (
    <div className="page thanks">
      <h1>Thank you.</h1>
      <p>
        Your order <strong>{orderNumber}</strong> is with us. We wrap it today.
      </p>
      <Link to="/" className="primary">
        Back to the shop window
      </Link>
    </div>
  )
}
