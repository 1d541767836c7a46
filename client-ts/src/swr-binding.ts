/**
 * Keeps an SWR cache true to what a sync hears, by the same windows as for TanStack Query. SWR has no word for "stale":
 * what no component shows is left alone, and SWR fetches it when it is shown again. `useSWRInfinite` is out of reach of
 * its key filters.
 */
import { type Arguments, type Cache, type ScopedMutator, unstable_serialize } from 'swr'
import { type Changes, collectChanges, type Scope, type WindowsOptions } from './change-windows.js'
import type { ProductSync } from './options.js'
import { isPageHidden, onPageSeen } from './page-visibility.js'
import { createQueryMatcher, type QueryMatchOptions, SCOPES } from './query-matcher.js'
import { type SwrKeys, toQuery, toQueryKeys } from './swr-keys.js'

/** Options of binding an SWR cache. */
export interface SwrBindingOptions extends WindowsOptions, Omit<QueryMatchOptions, 'keys'> {
  /** Where the shop keeps its products. */
  readonly keys?: SwrKeys
}

/** What `useSWRConfig()` gives. */
export interface SwrLike {
  readonly cache: Cache
  readonly mutate: ScopedMutator
}

/** A bound SWR cache. */
export interface SwrBinding {
  /** When a fetch for the last change of the product was begun, as far as known. */
  fetchedAt(productId: string): number | undefined
  stop(): void
}

export function createSwrBinding(
  sync: ProductSync,
  { cache, mutate }: SwrLike,
  options: SwrBindingOptions = {},
): SwrBinding {
  const keys = toQueryKeys(options.keys ?? {})
  const onThrow = (error: unknown) => sync.report({ type: 'error', error })
  const matcher = createQueryMatcher(sync.roles, { ...options, keys }, onThrow)
  const running = new Map<string, Set<string>>()
  const fetchedAt = new Map<string, number>()
  const unseen = new Set<string>()
  let isStopped = false

  function findConcerned(scopes: readonly Scope[], ids: ReadonlySet<string>): Arguments[] {
    const found: Arguments[] = []
    // The filter is asked at once for every key of the cache; as it takes none, nothing is fetched.
    void mutate((key) => {
      const query = toQuery(key, cache.get(unstable_serialize(key)))
      // A first answer that is still awaited may be older than the change; SWR drops it for that of the next fetch.
      const isConcerned = query.state.data === undefined ? matcher.mayConcern : matcher.concerns
      if (scopes.some((scope) => isConcerned(scope, query, ids))) found.push(key)
      return false
    })
    return found
  }

  // SWR drops a running fetch for the next one, and a slow shop under a stream of changes would never answer. So ours
  // are let land, and what comes meanwhile is one more fetch.
  function refetch(key: Arguments, ids: ReadonlySet<string>): void {
    const name = unstable_serialize(key)
    const waiting = running.get(name)
    if (waiting) {
      for (const id of ids) waiting.add(id)
      return
    }
    const late = new Set<string>()
    running.set(name, late)
    for (const id of ids) fetchedAt.set(id, Date.now())
    const land = () => {
      running.delete(name)
      if (late.size > 0 && !isStopped) refetchAll([key], late)
    }
    mutate(key).then(land, land)
  }

  function refetchAll(keys: readonly Arguments[], ids: ReadonlySet<string>): void {
    if (isPageHidden()) for (const id of ids) unseen.add(id)
    else for (const key of keys) refetch(key, ids)
  }

  function flush(scopes: readonly [Scope, ...Scope[]], changes: Changes): void {
    const ids = new Set(changes.keys())
    const due = findConcerned(scopes, ids)
    refetchAll(due, ids)
    const fetched = isPageHidden() ? 0 : due.length
    if (due.length > 0) sync.report({ type: 'flush', scope: scopes[0], productIds: [...ids], fetched })
  }

  const stopCollecting = collectChanges(sync, options, { flush, abandon: () => {} })
  const stopSeen = onPageSeen(() => {
    const ids = new Set(unseen)
    unseen.clear()
    if (ids.size > 0) refetchAll(findConcerned(SCOPES, ids), ids)
  })

  return {
    fetchedAt: (productId) => fetchedAt.get(productId),
    stop() {
      isStopped = true
      stopSeen()
      stopCollecting()
    },
  }
}
