/** The sums below a cart. */
import type { Cart } from '../../shared/types'
import { Sum } from './price'

export function Totals({ cart: { subtotal, shipping, total } }: { cart: Cart }) {
  return (
    <dl className="totals">
      <div>
        <dt>Subtotal</dt>
        <dd>
          <Sum cents={subtotal} />
        </dd>
      </div>
      <div>
        <dt>Delivery</dt>
        <dd>{shipping === 0 ? 'Free' : <Sum cents={shipping} />}</dd>
      </div>
      <div className="total">
        <dt>Total</dt>
        <dd>
          <Sum cents={total} />
        </dd>
      </div>
    </dl>
  )
}
