/**
 * Keeps a query cache true to what a sync hears: when the windows say so, it looks up the queries that a change
 * concerns and has them fetched. The parts each have a file; here is how they meet.
 */
import { type Changes, collectChanges, type Scope, type WindowsOptions } from './change-windows.js'
import { followRoles } from './follow-roles.js'
import { createInvalidator } from './invalidator.js'
import type { ProductChange, ProductSync } from './options.js'
import { applyPatch, type Patch } from './patch.js'
import type { QueryClientLike, QueryLike } from './query-client.js'
import { createQueryMatcher, type QueryMatcher, type QueryMatchOptions } from './query-matcher.js'

/** Options of binding a query client. */
export interface QueryBindingOptions extends QueryMatchOptions, WindowsOptions {
  /**
   * Writes changes into the cached data instead of fetching, by scope; a patch that returns `undefined` fetches as
   * usual. Only where a change says all that is shown. Checkout is never patched.
   * @default none: a change only ever fetches
   */
  readonly patch?: { readonly list?: Patch; readonly detail?: Patch; readonly cart?: Patch }
}

/** A bound query client. */
export interface QueryBinding {
  readonly matcher: QueryMatcher
  /** When the oldest cached data that shows the product was fetched. */
  since(productId: string): number | undefined
  /** Stops fetching. What was still to be fetched is marked as stale. */
  stop(): void
}

export function createQueryBinding(
  sync: ProductSync,
  client: QueryClientLike,
  options: QueryBindingOptions = {},
): QueryBinding {
  const onThrow = (error: unknown) => sync.report({ type: 'error', error })
  const matcher = createQueryMatcher(sync.roles, options, onThrow)
  const invalidator = createInvalidator(client, { concerns: matcher.concernsAny })
  const find = (predicate: (query: QueryLike) => boolean) => client.getQueryCache().findAll({ predicate })
  const findConcerned = (scopes: readonly Scope[], ids: ReadonlySet<string>) =>
    find((query) => scopes.some((scope) => matcher.concerns(scope, query, ids)))

  function patched(scope: Scope, query: QueryLike, changes: Changes): boolean {
    const patch = scope === 'checkout' ? undefined : options.patch?.[scope]
    if (!patch || invalidator.isQueued(query)) return false
    const own = [...changes].filter(([id]) => matcher.concerns(scope, query, new Set([id])))
    try {
      return applyPatch(
        client,
        query,
        patch,
        own.flatMap(([, ofProduct]) => ofProduct),
      )
    } catch (error) {
      onThrow(error)
      return false
    }
  }

  function flush(scopes: readonly [Scope, ...Scope[]], changes: Changes): void {
    const ids = new Set(changes.keys())
    const movesLists = scopes.includes('list') && [...changes.values()].flat().some(mayMoveLists)
    for (const query of find((query) => scopes.some((scope) => matcher.mayConcern(scope, query, ids)))) {
      invalidator.afterFetch(query, ids, movesLists)
    }
    const concerned = findConcerned(scopes, ids)
    const due = concerned.filter((query) => !patched(scopes[0], query, changes))
    if (movesLists) invalidator.mark(new Set(find(matcher.isList)))
    const fetched = invalidator.refetch(new Set(due))
    if (concerned.length > 0) sync.report({ type: 'flush', scope: scopes[0], productIds: [...ids], fetched })
  }

  const stopCollecting = collectChanges(sync, options, {
    flush,
    abandon: (scope, changes) => invalidator.mark(new Set(findConcerned([scope], new Set(changes.keys())))),
  })
  const since = (productId: string) => oldestData(client, matcher, productId)
  const stopRoles = followRoles(sync, since)

  return {
    matcher,
    since,
    stop() {
      stopRoles()
      stopCollecting()
      invalidator.stop()
    },
  }
}

/** Data that is marked as stale does not count: it is fetched before it is relied on. */
export function oldestData(
  client: QueryClientLike,
  matcher: QueryMatcher,
  productId: string,
): number | undefined {
  const ids = new Set([productId])
  const showing = client.getQueryCache().findAll({
    predicate: (query) => !query.state.isInvalidated && matcher.concernsAny(query, ids),
  })
  return showing.length > 0 ? Math.min(...showing.map(({ state }) => state.dataUpdatedAt)) : undefined
}

/** It may belong into lists that do not contain it, or no more into those that do. */
function mayMoveLists(change: ProductChange): boolean {
  if (change.kind === 'resync' || change.batch.events.length === 0) return true
  return change.batch.events.some(
    ({ type, data }) => type === 'product_update' && (data.action === 'created' || data.action === 'deleted'),
  )
}
