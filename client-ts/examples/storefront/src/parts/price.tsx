/** What a product costs now, and what it cost without its sale. A change is marked for a moment, quietly. */
import { useState } from 'react'
import type { Product } from '../../shared/types'
import { money } from '../money'

export function Price({ product }: { product: Pick<Product, 'price' | 'finalPrice'> }) {
  const changes = useChanges(product.finalPrice)
  const onSale = product.finalPrice < product.price
  return (
    <span className={onSale ? 'price on-sale' : 'price'}>
      {onSale && (
        <>
          <span className="hidden">Was </span>
          <s>{money(product.price)}</s>
          <span className="hidden">, now </span>
        </>
      )}
      <Amount cents={product.finalPrice} changes={changes} />
    </span>
  )
}

/** A sum that is marked when it changes. */
export function Sum({ cents }: { cents: number }) {
  return <Amount cents={cents} changes={useChanges(cents)} />
}

/** The key begins the mark's animation anew with each change. */
function Amount({ cents, changes }: { cents: number; changes: number }) {
  return (
    <span key={changes} className={changes > 0 ? 'amount changed' : 'amount'} data-cents={cents}>
      {money(cents)}
    </span>
  )
}

/** How often a value changed since it was first shown. */
function useChanges(value: number): number {
  const [seen, setSeen] = useState({ value, changes: 0 })
  if (seen.value === value) return seen.changes
  setSeen({ value, changes: seen.changes + 1 })
  return seen.changes + 1
}
