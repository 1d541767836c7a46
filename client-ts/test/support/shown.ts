/** Queries as components show them, with a shop behind them that counts what it is asked. No React. */
import { type QueryClient, type QueryKey, QueryObserver } from '@tanstack/react-query'

/** What the shop was asked for one query. */
export interface Asked {
  begun: number
  landed: number
  aborted: number
  /** Hides the query, as a component does that goes away. */
  readonly hide: () => void
}

/** Shows a query. Its answers take `tookMs`; `answer` gets the number of the fetch, from 1 on. */
export function show(
  client: QueryClient,
  queryKey: QueryKey,
  answer: (nth: number) => unknown = (nth) => nth,
  tookMs = 0,
): Asked {
  const observer = new QueryObserver(client, {
    queryKey,
    queryFn: async ({ signal }) => {
      asked.begun += 1
      const nth = asked.begun
      signal.addEventListener('abort', () => {
        asked.aborted += 1
      })
      // The shop looks when it is asked, and what it saw arrives later.
      const answered = new Promise((resolve) => resolve(answer(nth)))
      answered.catch(() => {})
      if (tookMs > 0) await new Promise((resolve) => setTimeout(resolve, tookMs))
      if (!signal.aborted) asked.landed += 1
      return answered
    },
  })
  const asked: Asked = { begun: 0, landed: 0, aborted: 0, hide: () => hide() }
  const hide = observer.subscribe(() => {})
  return asked
}

/** A client whose queries are fetched only when told so, and fail at once. */
export const QUIET = { defaultOptions: { queries: { retry: false, staleTime: Number.POSITIVE_INFINITY } } }
