/** How much is left, said only where it helps to know. */
import type { Product, Sale } from '../../shared/types'

const FEW = 5

export function StockNote({ stock }: { stock: number }) {
  if (stock === 0) return <span className="stock none">Sold out</span>
  if (stock <= FEW) return <span className="stock few">Only {stock} left</span>
  return <span className="stock">In stock</span>
}

export function SaleBadge({ sale }: { sale: Sale | null }) {
  return sale && <span className="badge sale">−{sale.discountPercentage} %</span>
}

/** Read out by screen readers when a product on its own page changes; silent at first. */
export const spokenState = ({ name, stock }: Product, price: string): string =>
  stock === 0
    ? `${name} is sold out.`
    : `${name}: ${price}, ${stock <= FEW ? `only ${stock} left` : 'in stock'}.`
