'use client'
import { useCartSync, useProductSyncStatus, useProductWebSocket } from '@shelfcast/client/react-query'
import { useQuery } from '@tanstack/react-query'

async function fetchProduct() {
  const answer = await fetch('/api/products/p1')
  return (await answer.json()) as { id: string; price: number }
}

export function Shop() {
  useCartSync()
  const { status } = useProductSyncStatus()
  const { ref } = useProductWebSocket({ productId: 'p1' })
  const { data } = useQuery({ queryKey: ['product', 'p1'], queryFn: fetchProduct })
  return <article ref={ref}>{`price ${data?.price}, ${status}`}</article>
}
