'use client'
import { createProductSync } from '@shelfcast/client'
import { ProductSyncProvider } from '@shelfcast/client/react-query'
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { type ReactNode, useState } from 'react'

const sync = createProductSync({ url: process.env.NEXT_PUBLIC_WEBSOCKET_URL ?? 'http://localhost:3003' })

export function Providers({ children }: { children: ReactNode }) {
  const [queryClient] = useState(() => new QueryClient())
  return (
    <QueryClientProvider client={queryClient}>
      <ProductSyncProvider sync={sync}>{children}</ProductSyncProvider>
    </QueryClientProvider>
  )
}
