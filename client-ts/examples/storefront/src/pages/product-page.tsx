/** One product. It stays followed while the page is open, also when its picture scrolls away. */
import { useProductWebSocket } from '@shelfcast/client/react-query'
import { useState } from 'react'
import type { Product } from '../../shared/types'
import { ApiError } from '../api'
import { ProductArt } from '../art/product-art'
import { money } from '../money'
import { Announce } from '../parts/announce'
import { Price } from '../parts/price'
import { ProductCard } from '../parts/product-card'
import { Quantity } from '../parts/quantity'
import { SaleBadge, StockNote, spokenState } from '../parts/stock'
import { useProduct, useProducts, usePutInCart, useWanted } from '../queries'
import { Link, navigate } from '../router'
import { isLive } from '../settings'
import { useTitle } from '../title'

export function ProductPage({ slug }: { slug: string }) {
  const { data: product, error } = useProduct(slug)
  useTitle(product?.name)
  if (product) return <Details product={product} />
  const isMissing = error instanceof ApiError && error.status === 404
  if (!error) return <div className="details" />
  return (
    <p className="notice" role="alert">
      {isMissing ? 'We do not have that any more.' : 'The shop does not answer.'}{' '}
      <Link to="/">To the shop window</Link>
    </p>
  )
}

function Details({ product }: { product: Product }) {
  const { id, name, blurb, facts, picture, sale, stock } = product
  useProductWebSocket({ productId: id, isDetailPage: true, enabled: isLive })
  return (
    <>
      <article className={stock === 0 ? 'details gone' : 'details'} data-product={id}>
        <div className="tile">
          <ProductArt picture={picture} label={name} />
          <SaleBadge sale={sale} />
        </div>
        <div className="words">
          <Link to={`/c/${product.category}`} className="crumb">
            {product.category}
          </Link>
          <h1>{name}</h1>
          <p className="price-line">
            <Price product={product} /> <StockNote stock={stock} />
          </p>
          <p className="blurb">{blurb}</p>
          <Buy product={product} />
          <ul className="facts">
            {facts.map((fact) => (
              <li key={fact}>{fact}</li>
            ))}
            <li>Leaves our workshop within two days</li>
          </ul>
        </div>
      </article>
      <Announce text={spokenState(product, money(product.finalPrice))} />
      <Others of={product} />
    </>
  )
}

function Buy({ product: { id, stock } }: { product: Product }) {
  const [asked, setQuantity] = useState(1)
  const { mutate, isPending, isError, error } = usePutInCart()
  const wanted = useWanted(id)
  const left = Math.max(stock - wanted, 0)
  const quantity = Math.min(asked, Math.max(left, 1))
  const label = stock === 0 ? 'Sold out' : left === 0 ? 'All of them are in your cart' : 'Add to cart'
  return (
    <div className="buy">
      <Quantity value={quantity} max={left} name="this" onChange={setQuantity} />
      <button
        type="button"
        className="primary"
        disabled={left === 0}
        aria-busy={isPending}
        onClick={() => mutate({ productId: id, quantity: wanted + quantity })}
      >
        {label}
      </button>
      {wanted > 0 && (
        <button type="button" className="secondary" onClick={() => navigate('/cart')}>
          {wanted} in your cart
        </button>
      )}
      {isError && <p role="alert">{error.message}</p>}
    </div>
  )
}

function Others({ of: { id, category } }: { of: Product }) {
  const { data } = useProducts(category)
  const others = data?.items.filter((item) => item.id !== id && item.category === category).slice(0, 4) ?? []
  return (
    <section className="others" aria-labelledby="others">
      <h2 id="others">From the same shelf</h2>
      <div className="grid">
        {others.map((product) => (
          <ProductCard key={product.id} product={product} />
        ))}
      </div>
    </section>
  )
}
