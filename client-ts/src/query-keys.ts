/**
 * Where a shop keeps its products in the cache, told by query keys. Matches keys only; what is in the data is
 * `query-matcher.ts`.
 */
import { guard, type OnThrow } from './guard.js'

/** The start of a query key, or a function that says whether a key is meant. */
export type KeyMatch = readonly unknown[] | ((queryKey: readonly unknown[]) => boolean)

/** The keys of a shop's queries. */
export interface QueryKeys {
  /**
   * The key of one product; longer keys that start so are its as well.
   * @default (productId) => ['product', productId]
   */
  readonly detail?: (productId: string) => readonly unknown[]
  /**
   * Queries that hold one product each under a key without its id, a slug say. They are known by the id in their data.
   * @default what the keys of all products start with, `['product']`
   */
  readonly detailPages?: KeyMatch
  /**
   * Queries that hold lists of products.
   * @default ['products']
   */
  readonly list?: KeyMatch
  /**
   * Queries that hold the cart.
   * @default ['cart']
   */
  readonly cart?: KeyMatch
  /**
   * Queries that hold the order about to be placed: totals, delivery, the last check of prices.
   * @default ['checkout']
   */
  readonly checkout?: KeyMatch
}

/** {@link QueryKeys} made ready. */
export interface KeyMatchers {
  isDetailOf(queryKey: readonly unknown[], productId: string): boolean
  isDetailPage(queryKey: readonly unknown[]): boolean
  isList(queryKey: readonly unknown[]): boolean
  isCart(queryKey: readonly unknown[]): boolean
  isCheckout(queryKey: readonly unknown[]): boolean
}

export function createKeyMatchers(keys: QueryKeys = {}, onThrow: OnThrow = () => {}): KeyMatchers {
  const detail = guard(keys.detail ?? ((productId: string) => ['product', productId]), [], onThrow)

  function matcher(match: KeyMatch): (queryKey: readonly unknown[]) => boolean {
    return typeof match === 'function'
      ? guard(match, false, onThrow)
      : (queryKey) => startsWith(queryKey, match)
  }

  return {
    isDetailOf: (queryKey, productId) => startsWith(queryKey, detail(productId)),
    // Ids that are numbers in disguise, because some shops turn them into numbers for their keys.
    isDetailPage: matcher(keys.detailPages ?? commonStart(detail('0'), detail('1'))),
    isList: matcher(keys.list ?? ['products']),
    isCart: matcher(keys.cart ?? ['cart']),
    isCheckout: matcher(keys.checkout ?? ['checkout']),
  }
}

/** As TanStack matches keys, but 42 and '42' are one id, and an empty start is no query's instead of every one's. */
function startsWith(queryKey: readonly unknown[], start: readonly unknown[]): boolean {
  return (
    start.length > 0 &&
    start.length <= queryKey.length &&
    start.every((part, index) => contains(queryKey[index], part))
  )
}

function contains(value: unknown, part: unknown): boolean {
  if (value === part) return true
  if (typeof value !== 'object' || typeof part !== 'object' || value === null || part === null) {
    return isId(value) && isId(part) && String(value) === String(part)
  }
  return Object.entries(part).every(([field, inner]) =>
    contains((value as Record<string, unknown>)[field], inner),
  )
}

function isId(value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint'
}

function commonStart(one: readonly unknown[], other: readonly unknown[]): readonly unknown[] {
  const end = one.findIndex((part, index) => !contains(part, other[index]))
  return end === -1 ? one : one.slice(0, end)
}
