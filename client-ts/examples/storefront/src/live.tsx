/**
 * The whole of it: one sync for the page, and the one provider that binds it to the query client. In `poll` mode there is
 * neither, and every query asks again after 30 seconds.
 */
import { createProductSync, type ProductSync } from '@shelfcast/client'
import { ProductSyncProvider } from '@shelfcast/client/react-query'
import { socketIo } from '@shelfcast/client/socket-io'
import { sse } from '@shelfcast/client/sse'
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { isLive, settings } from './settings'

const { gatewayUrl, live, speed } = settings
const POLL_MS = 30_000
/** Changes come by themselves, so this is only a net under the net. */
const LIVE_STALE_MS = 300_000

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: isLive
      ? { staleTime: LIVE_STALE_MS / speed }
      : { staleTime: POLL_MS / speed, refetchInterval: POLL_MS / speed },
  },
})

export const sync: ProductSync = createProductSync({
  transport: live === 'sse' ? sse(gatewayUrl) : socketIo(gatewayUrl),
  lingerMs: 2_000 / speed,
  pauseHiddenAfterMs: 60_000 / speed,
  debug: import.meta.env.DEV,
})

/** The defaults, divided: `speed` is 1 for everybody but a benchmark. */
const windows = { listMs: 1_000 / speed, detailMs: 500 / speed, cartMs: 1_000 / speed }

export function Live({ children }: { children: ReactNode }) {
  return (
    <QueryClientProvider client={queryClient}>
      <ProductSyncProvider sync={sync} queries={{ windows }}>
        {children}
      </ProductSyncProvider>
    </QueryClientProvider>
  )
}

if (import.meta.hot) import.meta.hot.dispose(() => sync.dispose())
