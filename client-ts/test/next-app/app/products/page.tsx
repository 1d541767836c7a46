// A server component again: it fetches, and hands over to a client component with what it fetched.
import { dehydrate, HydrationBoundary, QueryClient } from '@tanstack/react-query'
import { Shop } from './shop'

export default async function Page() {
  const queryClient = new QueryClient()
  await queryClient.prefetchQuery({
    queryKey: ['product', 'p1'],
    queryFn: async () => ({ id: 'p1', price: 15 }),
  })
  return (
    <HydrationBoundary state={dehydrate(queryClient)}>
      <Shop />
    </HydrationBoundary>
  )
}
