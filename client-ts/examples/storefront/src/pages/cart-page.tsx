/** The cart, as it stands now. What changed meanwhile is simply so; what is sold out says so and costs nothing. */
import type { Cart, CartLine } from '../../shared/types'
import { ProductArt } from '../art/product-art'
import { money } from '../money'
import { Announce } from '../parts/announce'
import { Price, Sum } from '../parts/price'
import { Quantity } from '../parts/quantity'
import { SaleBadge, StockNote } from '../parts/stock'
import { Totals } from '../parts/totals'
import { useCart, usePutInCart } from '../queries'
import { Link, navigate } from '../router'
import { useTitle } from '../title'

export function CartPage() {
  const { data: cart } = useCart()
  useTitle('Cart')
  return (
    <div className="page">
      <h1>Cart</h1>
      {cart && (cart.lines.length > 0 ? <Lines cart={cart} /> : <Empty />)}
    </div>
  )
}

function Empty() {
  return (
    <p className="notice">
      Nothing in it yet. <Link to="/">To the shop window</Link>
    </p>
  )
}

function Lines({ cart }: { cart: Cart }) {
  return (
    <div className="split">
      <ul className="lines">
        {cart.lines.map((line) => (
          <Line key={line.productId} line={line} />
        ))}
      </ul>
      <aside className="summary" aria-label="Summary">
        <Totals cart={cart} />
        <button
          type="button"
          className="primary"
          disabled={cart.count === 0}
          onClick={() => navigate('/checkout')}
        >
          {cart.count === 0 ? 'Nothing left to buy' : 'Checkout'}
        </button>
        <p className="quiet">Prices here are the ones you pay. They follow the shop while you look.</p>
      </aside>
      <Announce text={`Total ${money(cart.total)}`} />
    </div>
  )
}

function Line({ line: { productId, product, quantity, wanted, total } }: { line: CartLine }) {
  const { mutate } = usePutInCart()
  const { slug, name, picture, sale, stock } = product
  const put = (count: number) => mutate({ productId, quantity: count })
  return (
    <li className={quantity === 0 ? 'gone' : ''} data-product={productId}>
      <Link to={`/p/${slug}`} className="tile" tabIndex={-1} aria-hidden="true">
        <ProductArt picture={picture} near />
      </Link>
      <div className="what">
        <h2>
          <Link to={`/p/${slug}`}>{name}</Link>
        </h2>
        <p>
          <Price product={product} /> <SaleBadge sale={sale} />
        </p>
        <StockNote stock={stock} />
      </div>
      <div className="how-many">
        <Quantity value={quantity || wanted} max={stock} name={name} onChange={put} />
        <button type="button" className="text" onClick={() => put(0)} aria-label={`Remove ${name}`}>
          Remove
        </button>
      </div>
      <strong className="line-total">
        {quantity === 0 ? <span className="quiet">not counted</span> : <Sum cents={total} />}
      </strong>
    </li>
  )
}
