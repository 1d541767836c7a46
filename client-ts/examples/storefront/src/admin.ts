/** What the counter does, as queries and calls. It asks every two seconds and follows nothing: it is the shop's own side. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect } from 'react'
import type { Product, ProductList } from '../shared/types'
import { call } from './api'

const REFRESH_MS = 2_000
const BUSY_MS = 1_500

export interface Figures {
  readonly calls: { readonly total: number; readonly byRoute: Readonly<Record<string, number>> }
  readonly publisher: {
    readonly accepted: number
    readonly queued: number
    readonly underWay: number
    readonly failed: number
  }
  readonly gateway: { readonly connections: number; readonly rooms: { readonly totalRooms: number } } | null
}

/** As the admin API takes it: a sale may be given a time to live. */
export interface Patch {
  readonly price?: number
  readonly stock?: number
  readonly sale?: { readonly discountPercentage: number; readonly forSeconds?: number } | null
  readonly quiet?: boolean
}

export const useStockroom = () =>
  useQuery({
    queryKey: ['admin', 'products'],
    queryFn: () => call<ProductList>('/admin/products'),
    refetchInterval: REFRESH_MS,
    staleTime: 0,
  })

export const useFigures = () =>
  useQuery({
    queryKey: ['admin', 'figures'],
    queryFn: () => call<Figures>('/admin/figures'),
    refetchInterval: REFRESH_MS,
    staleTime: 0,
  })

export function useChange() {
  const client = useQueryClient()
  return useMutation({
    mutationFn: ({ productId, ...patch }: Patch & { productId: string }) =>
      call(`/admin/products/${productId}`, 'PATCH', patch),
    onSettled: () => client.invalidateQueries({ queryKey: ['admin'] }),
  })
}

/** `null` ends every sale. */
export const sellAll = (discountPercentage: number | null): Promise<unknown> =>
  call('/admin/sales', 'POST', { sale: discountPercentage === null ? null : { discountPercentage } })

export const resetShop = (): Promise<unknown> => call('/admin/reset', 'POST', {})

/** While it is on, somebody is always buying, restocking or repricing something. */
export function useBusyDay(isOn: boolean, products: readonly Product[] | undefined): void {
  const { mutate } = useChange()
  useEffect(() => {
    if (!isOn || !products) return
    const timer = setTimeout(() => {
      const product = products[Math.floor(Math.random() * products.length)]
      if (product) mutate({ productId: product.id, ...whim(product) })
    }, BUSY_MS)
    return () => clearTimeout(timer)
  }, [isOn, products, mutate])
}

function whim({ price, stock, sale }: Product): Patch {
  const dice = Math.random()
  if (dice < 0.55) return { stock: stock === 0 ? 12 : Math.max(stock - 1 - Math.floor(Math.random() * 3), 0) }
  if (dice < 0.8) return { price: Math.max(Math.round((price * (0.9 + Math.random() * 0.2)) / 100), 1) * 100 }
  return { sale: sale ? null : { discountPercentage: 10 + 5 * Math.floor(Math.random() * 5) } }
}
