/** The binding of the query client that the component uses, held while something needs it. */
import { useQueryClient } from '@tanstack/react-query'
import { type Context, createContext, useCallback, useContext } from 'react'
import { createBindingRegistry, type Held } from '../binding-registry.js'
import { createQueryBinding, type QueryBinding, type QueryBindingOptions } from '../query-binding.js'
import type { QueryClientLike } from '../query-client.js'
import { useSync } from './sync-context.js'
import { useLatest } from './use-latest.js'

/** How the shop's queries are bound, from the nearest provider. */
export const QueriesContext: Context<QueryBindingOptions | undefined> = createContext<
  QueryBindingOptions | undefined
>(undefined)

const bindings = createBindingRegistry<QueryClientLike, QueryBinding>()

/** Stable for the same client and sync; with a second client another binding is made. */
export function useQueryBinding(): () => Held<QueryBinding> {
  const client = useQueryClient()
  const sync = useSync()
  // Options written in place are new on every render; they are read when a binding is made.
  const queries = useLatest(useContext(QueriesContext))
  return useCallback(
    () => bindings.hold(client, sync, () => createQueryBinding(sync, client, queries.current)),
    [client, sync, queries],
  )
}
