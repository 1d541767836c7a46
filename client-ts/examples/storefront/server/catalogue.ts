/** The forty things the shop opens with, in the order of its window. What happens to them later is in `store.ts`. */
import type { Product } from '../shared/types'
import items from './catalogue.json'

/** A product before it has an id, an address and a sum to pay. */
export type Item = Omit<Product, 'id' | 'slug' | 'finalPrice' | 'sale'> & Partial<Pick<Product, 'sale'>>

export const CATALOGUE: readonly Item[] = items as readonly Item[]
