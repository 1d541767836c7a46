/**
 * Refetches queries so that every fetch lands and none is forgotten: one in flight, at most one queued, per query.
 * Which queries, and when, is decided by others.
 *
 * Both easy ways are wrong. Cancelling the running fetch (TanStack's default) means that a slow shop under a stream of
 * changes never answers; and leaving it alone loses the change, because its answer may be older than the change, and
 * its success clears the mark. During a first fetch even the default does the latter (TanStack/query#8530).
 */
import { isPageHidden, onPageSeen } from './page-visibility.js'
import type { QueryClientLike, QueryLike } from './query-client.js'

/** Options of {@link createInvalidator}. */
export interface InvalidatorOptions {
  /** Asked when a running fetch has landed: does its answer show one of these products? */
  readonly concerns: (query: QueryLike, productIds: ReadonlySet<string>) => boolean
}

/** See {@link createInvalidator}. */
export interface Invalidator {
  /** Fetches those on screen and marks the others as stale. Returns how many fetches it begins. */
  refetch(queries: ReadonlySet<QueryLike>): number
  /** Marks as stale without fetching: they are fetched when they are next shown. */
  mark(queries: ReadonlySet<QueryLike>): void
  /** Lets a running fetch land, then refetches if its answer shows one of the products, else marks if told so. */
  afterFetch(query: QueryLike, productIds: ReadonlySet<string>, orMark: boolean): void
  isQueued(query: QueryLike): boolean
  /** Begins no fetch any more; what is queued is still marked as stale. */
  stop(): void
}

export function createInvalidator(client: QueryClientLike, { concerns }: InvalidatorOptions): Invalidator {
  const cache = client.getQueryCache()
  const queued = new Map<QueryLike, { readonly productIds: Set<string>; orMark: boolean }>()
  const unseen = new Set<QueryLike>()
  let stopped = false

  function invalidate(queries: ReadonlySet<QueryLike>, refetchType: 'active' | 'none'): void {
    void client.invalidateQueries(
      { predicate: (query) => queries.has(query), refetchType },
      { cancelRefetch: false },
    )
  }

  function refetch(queries: ReadonlySet<QueryLike>): number {
    if (queries.size === 0) return 0
    if (stopped || isPageHidden()) {
      if (!stopped) for (const query of queries) unseen.add(query)
      invalidate(queries, 'none')
      return 0
    }
    const begun = [...queries].filter(
      (query) => query.state.fetchStatus === 'idle' && query.isActive(),
    ).length
    invalidate(queries, 'active')
    return begun
  }

  function mark(queries: ReadonlySet<QueryLike>): void {
    if (queries.size > 0) invalidate(queries, 'none')
  }

  // Asked in the next microtask, when the query is done with what it was in the midst of.
  function settle(query: QueryLike): void {
    const waiting = queued.get(query)
    if (!waiting || query.state.fetchStatus === 'fetching') return
    queued.delete(query)
    queueMicrotask(() => {
      if (concerns(query, waiting.productIds)) refetch(new Set([query]))
      else if (waiting.orMark) mark(new Set([query]))
    })
  }

  const stopCache = cache.subscribe(({ type, query }) => {
    if (type === 'removed') {
      queued.delete(query)
      unseen.delete(query)
    }
    if (type === 'updated') settle(query)
    if (stopped && queued.size === 0) stopCache()
  })

  const stopSeen = onPageSeen(() => {
    // What was fetched since, by the cache's own refetch on focus say, is not marked any more; what is being fetched
    // was begun after the change.
    const due = [...unseen].filter(({ state }) => state.isInvalidated && state.fetchStatus === 'idle')
    unseen.clear()
    refetch(new Set(due))
  })

  return {
    refetch,
    mark,
    afterFetch(query, productIds, orMark) {
      const waiting = queued.get(query) ?? { productIds: new Set(), orMark: false }
      for (const id of productIds) waiting.productIds.add(id)
      waiting.orMark ||= orMark
      queued.set(query, waiting)
    },
    isQueued: (query) => queued.has(query),
    stop() {
      stopped = true
      unseen.clear()
      stopSeen()
      if (queued.size === 0) stopCache()
    },
  }
}
