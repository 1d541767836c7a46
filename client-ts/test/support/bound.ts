/**
 * A query client that is bound to a sync with a gateway in memory, new for every test of the file that imports this. Time
 * is fake, and what is random is 0.5.
 */
import { QueryClient, type QueryKey } from '@tanstack/react-query'
import { afterEach, beforeEach, vi } from 'vitest'
import type { ProductSync, ProductSyncEvent } from '../../src/options.js'
import { createProductSync } from '../../src/product-sync.js'
import { bindQueryClient, type QueryBindingOptions } from '../../src/query.js'
import { type FakeTransport, fakeTransport } from '../../src/testing.js'
import { setSeen } from './seen.js'
import { type Asked, QUIET, show as showIn } from './shown.js'

export let client: QueryClient
export let gateway: FakeTransport
export let sync: ProductSync
/** What `onEvent` heard. */
export let told: ProductSyncEvent[]
/** Stops the binding. */
export let stop: () => void

beforeEach(() => {
  vi.useFakeTimers()
  client = new QueryClient(QUIET)
  gateway = fakeTransport()
  told = []
  sync = createProductSync({ transport: gateway, random: () => 0.5, onEvent: (event) => told.push(event) })
  stop = () => {}
})
afterEach(() => {
  stop()
  sync.dispose()
  client.clear()
  setSeen(true)
  vi.useRealTimers()
})

export const pass = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms)
export const state = (queryKey: QueryKey) => client.getQueryState(queryKey)

/** Shows a query in the client of the test. */
export function show(queryKey: QueryKey, answer?: (nth: number) => unknown, tookMs?: number): Asked {
  return showIn(client, queryKey, answer, tookMs)
}

/** The answer of a product's page. */
export const product = (id: string | number) => () => ({ id, name: 'Shoe' })

/** The answer of a list. */
export const list =
  (...ids: (string | number)[]) =>
  () =>
    ids.map((id) => ({ id }))

/** Binds, follows the products, and lets everything shown so far be fetched. */
export async function begin(
  options: QueryBindingOptions = {},
  productIds = ['p1', 'p2', 'p3'],
): Promise<void> {
  stop = bindQueryClient(sync, client, { random: () => 0.5, ...options })
  for (const id of productIds) sync.subscribe(id)
  await pass(10)
}
