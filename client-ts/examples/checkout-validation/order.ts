/**
 * What a visitor orders, and what the shop's API may answer. An order carries the prices and numbers that were on the
 * screen: only so can the shop tell whether the visitor knows what it will charge.
 */

/** One line, as the visitor saw it. */
export interface OrderLine {
  readonly productId: string
  readonly quantity: number
  readonly unitPrice: number
}

/** What is sent. */
export interface Order {
  readonly lines: readonly OrderLine[]
}

/** One thing that is not as the visitor saw it. */
export interface Correction {
  readonly productId: string
  readonly field: 'unitPrice' | 'quantity'
  readonly from: number
  readonly to: number
}

/** The shop's answer. With `needsUpdate` nothing was sold. */
export type OrderAnswer =
  | { readonly needsUpdate: true; readonly corrections: readonly Correction[] }
  | { readonly needsUpdate: false; readonly orderNumber: string }

/** The order as the visitor has now seen it. What is down to nothing is ordered no more. */
export function correct(order: Order, corrections: readonly Correction[]): Order {
  const lines = order.lines.map((line) =>
    corrections
      .filter(({ productId }) => productId === line.productId)
      .reduce((corrected, { field, to }) => ({ ...corrected, [field]: to }), line),
  )
  return { lines: lines.filter(({ quantity }) => quantity > 0) }
}
