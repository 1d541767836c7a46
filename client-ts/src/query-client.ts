/**
 * What the bindings use of a TanStack QueryClient, as shapes. The class has private fields, so two copies of the
 * package make two types that do not fit each other; the shape fits every copy and every framework's client.
 */

/** A QueryClient of TanStack Query v5, whichever framework it comes with. */
export interface QueryClientLike {
  getQueryCache(): QueryCacheLike
  invalidateQueries(
    filters: { predicate: (query: QueryLike) => boolean; refetchType: 'active' | 'none' },
    options: { cancelRefetch: boolean },
  ): Promise<void>
  setQueryData(queryKey: readonly unknown[], data: unknown): unknown
}

/** Its cache. */
export interface QueryCacheLike {
  findAll(filters: { predicate: (query: QueryLike) => boolean }): QueryLike[]
  subscribe(listener: (event: { readonly type: string; readonly query: QueryLike }) => void): () => void
}

/** One query of it. */
export interface QueryLike {
  readonly queryKey: readonly unknown[]
  readonly state: {
    readonly data: unknown
    readonly dataUpdatedAt: number
    readonly fetchStatus: 'fetching' | 'paused' | 'idle'
    readonly isInvalidated: boolean
  }
  /** A component shows it. */
  isActive(): boolean
}
