/** Reads what visitors send, by hand: each function gives a value of its type or throws a {@link Refusal} that says why. */
import type { Order } from '../../checkout-validation/order'
import type { ProductPatch } from '../shared/types'
import { Refusal } from './http'

type Fields = Readonly<Record<string, unknown>>

export function fieldsOf(body: unknown): Fields {
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body as Fields
  throw new Refusal(422, 'An object is expected.')
}

/** A count of things or of cents. */
export function wholeNumber(fields: Fields, name: string, max = 10_000_000): number {
  const value = fields[name]
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= max) return value
  throw new Refusal(422, `${name}: a whole number from 0 to ${max} is expected.`)
}

export function text(fields: Fields, name: string, max = 200): string {
  const value = fields[name]
  if (typeof value === 'string' && value.trim() !== '' && value.length <= max) return value.trim()
  throw new Refusal(422, `${name}: please fill this in.`)
}

export function orderIn(fields: Fields): Order {
  const { lines } = fields
  if (!Array.isArray(lines) || lines.length > 100) throw new Refusal(422, 'lines: a list is expected.')
  if (lines.length === 0) throw new Refusal(422, 'There is nothing left to buy.')
  return {
    lines: lines.map(fieldsOf).map((line) => ({
      productId: text(line, 'productId'),
      quantity: wholeNumber(line, 'quantity'),
      unitPrice: wholeNumber(line, 'unitPrice'),
    })),
  }
}

export function productPatch(body: unknown): ProductPatch {
  const fields = fieldsOf(body)
  return {
    ...('name' in fields && { name: text(fields, 'name') }),
    ...('price' in fields && { price: wholeNumber(fields, 'price') }),
    ...('stock' in fields && { stock: wholeNumber(fields, 'stock') }),
    ...('sale' in fields && { sale: fields.sale === null ? null : sale(fieldsOf(fields.sale)) }),
  }
}

function sale(fields: Fields): NonNullable<ProductPatch['sale']> {
  const discountPercentage = wholeNumber(fields, 'discountPercentage', 90)
  if (!('forSeconds' in fields)) return { discountPercentage }
  const endsAt = new Date(Date.now() + 1000 * wholeNumber(fields, 'forSeconds', 604_800)).toISOString()
  return { discountPercentage, endsAt }
}
