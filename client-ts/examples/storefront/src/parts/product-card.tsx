/**
 * A product in a grid. `ref` is all that it takes to keep the card current: while it is in view its product is followed,
 * and scrolling it in and out renders nothing.
 */
import { useProductWebSocket } from '@shelfcast/client/react-query'
import { memo, Profiler } from 'react'
import type { Product } from '../../shared/types'
import { ProductArt } from '../art/product-art'
import { usePutInCart, useWanted } from '../queries'
import { countRender } from '../renders'
import { Link } from '../router'
import { isLive } from '../settings'
import { Price } from './price'
import { SaleBadge, StockNote } from './stock'

export const ProductCard = memo(function ProductCard({ product }: { product: Product }) {
  const { ref } = useProductWebSocket({ productId: product.id, enabled: isLive })
  const { id, slug, name, picture, sale, stock } = product
  return (
    <Profiler id={id} onRender={countRender}>
      <article ref={ref} className={stock === 0 ? 'card gone' : 'card'} data-product={id}>
        <div className="stand">
          <Link to={`/p/${slug}`} className="tile" tabIndex={-1} aria-hidden="true">
            <ProductArt picture={picture} />
            <SaleBadge sale={sale} />
          </Link>
          <AddButton product={product} />
        </div>
        <div className="line">
          <h3>
            <Link to={`/p/${slug}`}>{name}</Link>
          </h3>
          <Price product={product} />
        </div>
        <StockNote stock={stock} />
      </article>
    </Profiler>
  )
})

function AddButton({ product: { id, name, stock } }: { product: Product }) {
  const { mutate, isPending } = usePutInCart()
  const wanted = useWanted(id)
  return (
    <button
      type="button"
      className="add"
      disabled={stock <= wanted}
      aria-label={stock === 0 ? `${name} is sold out` : `Add ${name} to the cart`}
      aria-busy={isPending}
      onClick={() => mutate({ productId: id, quantity: wanted + 1 })}
    >
      <svg viewBox="0 0 20 20" aria-hidden="true">
        <path d="M10 4v12M4 10h12" stroke="currentColor" strokeWidth="2" strokeLinecap="round" />
      </svg>
    </button>
  )
}
