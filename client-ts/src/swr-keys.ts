/**
 * Where a shop keeps its products in an SWR cache. Turns SWR's keys into lists of parts, so that they are matched like
 * the query keys of TanStack.
 */
import type { Arguments, State } from 'swr'
import type { QueryLike } from './query-client.js'
import type { KeyMatch, QueryKeys } from './query-keys.js'

/** A key of SWR. A string counts as its parts: `'/api/products?page=2'` is `['api', 'products', 'page=2']`. */
export type SwrKeyMatch = string | KeyMatch

/** The keys of a shop's data: what a key starts with, or a function that says whether a key's parts are meant. */
export interface SwrKeys {
  /**
   * The key of one product.
   * @default (productId) => ['product', productId]
   */
  readonly detail?: (productId: string) => string | readonly unknown[]
  /**
   * Data of one product each under keys without its id, a slug say. It is known by the id in it.
   * @default what the keys of all products start with, `['product']`
   */
  readonly detailPages?: SwrKeyMatch
  /**
   * Lists of products.
   * @default ['products']
   */
  readonly list?: SwrKeyMatch
  /**
   * The cart.
   * @default ['cart']
   */
  readonly cart?: SwrKeyMatch
  /**
   * The order about to be placed.
   * @default ['checkout']
   */
  readonly checkout?: SwrKeyMatch
}

/** The keys as parts. */
export function toQueryKeys({ detail, ...matches }: SwrKeys): QueryKeys {
  const keys = Object.entries(matches).map(([name, match]) => [
    name,
    typeof match === 'function' ? match : partsOf(match),
  ])
  return { ...Object.fromEntries(keys), ...(detail && { detail: (id: string) => partsOf(detail(id)) }) }
}

/** One entry of the cache in the shape of a query. */
export function toQuery(key: Arguments, state: State | undefined): QueryLike {
  return {
    queryKey: partsOf(key),
    state: {
      data: state?.data,
      dataUpdatedAt: 0,
      fetchStatus: state?.isValidating ? 'fetching' : 'idle',
      isInvalidated: false,
    },
    isActive: () => true,
  }
}

function partsOf(key: unknown): readonly unknown[] {
  if (typeof key === 'string') return key.split(/[/?&#]/).filter((part) => part !== '')
  return Array.isArray(key) ? key : [key]
}
