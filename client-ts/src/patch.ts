/**
 * Writes a change into cached data instead of fetching it, where a shop opted in. It refuses whenever the result could
 * be less than the truth, and the query is then fetched as usual.
 */
import type { ProductChange } from './options.js'
import type { QueryClientLike, QueryLike } from './query-client.js'
import type { BatchedProductUpdate } from './types.js'

/** Returns the new data, or `undefined` to fetch as usual. Must not change the old data. */
export type Patch = (data: unknown, batch: BatchedProductUpdate) => unknown

/** Applies the changes if every one of them can be. Says whether it did. What `patch` throws is thrown on. */
export function applyPatch(
  client: QueryClientLike,
  query: QueryLike,
  patch: Patch,
  changes: readonly ProductChange[],
): boolean {
  // Written data counts as fresh: it would wipe out that the query is owed a fetch.
  if (query.state.isInvalidated || query.state.fetchStatus !== 'idle') return false
  let data = query.state.data
  for (const change of changes) {
    // A replay may bring back an older price, and an empty batch says only that something changed.
    if (change.kind !== 'batch' || change.batch.replay || change.batch.events.length === 0) return false
    data = patch(data, change.batch)
    if (data === undefined) return false
  }
  client.setQueryData(query.queryKey, data)
  return true
}
