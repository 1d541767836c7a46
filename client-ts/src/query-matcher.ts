/**
 * Decides which cached queries a change concerns, from their keys and from the products in their data. Looks only;
 * fetching is `invalidator.ts`.
 */
import type { Scope } from './change-windows.js'
import type { OnThrow } from './guard.js'
import type { ProductRoles } from './options.js'
import { createProductIndex, type ProductIdOptions } from './product-ids.js'
import type { QueryLike } from './query-client.js'
import { createKeyMatchers, type QueryKeys } from './query-keys.js'

/** Options of matching. */
export interface QueryMatchOptions extends ProductIdOptions {
  /** Where the shop keeps its products. */
  readonly keys?: QueryKeys
  /**
   * Which lists a change concerns: those that contain the product, or all of them, for lists whose order or filter
   * depends on what changes (the cheapest ten).
   * @default 'containing'
   */
  readonly lists?: 'containing' | 'all'
}

/** See {@link createQueryMatcher}. */
export interface QueryMatcher {
  /** The query is of this scope and shows one of these products. */
  concerns(scope: Scope, query: QueryLike, productIds: ReadonlySet<string>): boolean
  /** As `concerns`, in any scope. */
  concernsAny(query: QueryLike, productIds: ReadonlySet<string>): boolean
  /** The query is of this scope and being fetched: only its answer will tell whether it shows the product. */
  mayConcern(scope: Scope, query: QueryLike, productIds: ReadonlySet<string>): boolean
  /** The query is a list, whatever it contains. */
  isList(query: QueryLike): boolean
  /** The products listed in data. */
  listed(data: unknown): ReadonlySet<string>
  isCart(query: QueryLike): boolean
}

/** All of them. */
export const SCOPES: readonly Scope[] = ['list', 'detail', 'cart', 'checkout']

export function createQueryMatcher(
  roles: Pick<ProductRoles, 'has'>,
  options: QueryMatchOptions = {},
  onThrow: OnThrow = () => {},
): QueryMatcher {
  const keys = createKeyMatchers(options.keys, onThrow)
  const index = createProductIndex(options, onThrow)

  function isDetail({ queryKey, state }: QueryLike, productIds: ReadonlySet<string>): boolean {
    if (some(productIds, (id) => keys.isDetailOf(queryKey, id))) return true
    if (!keys.isDetailPage(queryKey)) return false
    const { own, listed } = index(state.data)
    if (own !== undefined && productIds.has(own)) return true
    // A bundle shows what it lists. Under a key of lists too, it is the lists' turn, or it would be fetched twice.
    return !keys.isList(queryKey) && overlap(listed, productIds)
  }

  // Shops keep `['products', id]` beside `['products', { page: 1 }]`.
  function isList({ queryKey, state }: QueryLike): boolean {
    if (!keys.isList(queryKey)) return false
    const { own, listed } = index(state.data)
    return own === undefined || listed.size > 0
  }

  // The roles count besides the data, because a cart may hold its products in a shape nobody knows.
  function isInUse(role: 'cart' | 'checkout', query: QueryLike, productIds: ReadonlySet<string>): boolean {
    return (
      some(productIds, (id) => roles.has(role, id)) || overlap(index(query.state.data).listed, productIds)
    )
  }

  const concerns: Record<Scope, (query: QueryLike, productIds: ReadonlySet<string>) => boolean> = {
    detail: isDetail,
    list: (query, productIds) =>
      isList(query) &&
      (options.lists === 'all' || overlap(index(query.state.data).listed, productIds)) &&
      !isDetail(query, productIds),
    cart: (query, productIds) => keys.isCart(query.queryKey) && isInUse('cart', query, productIds),
    checkout: (query, productIds) =>
      keys.isCheckout(query.queryKey) && isInUse('checkout', query, productIds),
  }

  const isOf: Record<Scope, (query: QueryLike, productIds: ReadonlySet<string>) => boolean> = {
    detail: ({ queryKey }, productIds) =>
      keys.isDetailPage(queryKey) || some(productIds, (id) => keys.isDetailOf(queryKey, id)),
    list: ({ queryKey }) => keys.isList(queryKey),
    cart: ({ queryKey }) => keys.isCart(queryKey),
    checkout: ({ queryKey }) => keys.isCheckout(queryKey),
  }

  return {
    isList,
    isCart: ({ queryKey }) => keys.isCart(queryKey),
    listed: (data) => index(data).listed,
    concerns: (scope, query, productIds) =>
      query.state.data !== undefined && concerns[scope](query, productIds),
    concernsAny: (query, productIds) =>
      query.state.data !== undefined && SCOPES.some((scope) => concerns[scope](query, productIds)),
    mayConcern: (scope, query, productIds) =>
      query.state.fetchStatus === 'fetching' && isOf[scope](query, productIds),
  }
}

function some(ids: ReadonlySet<string>, test: (id: string) => boolean): boolean {
  for (const id of ids) if (test(id)) return true
  return false
}

function overlap(one: ReadonlySet<string>, other: ReadonlySet<string>): boolean {
  const [few, many] = one.size < other.size ? [one, other] : [other, one]
  return some(few, (id) => many.has(id))
}
