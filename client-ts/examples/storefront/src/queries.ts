/** What the pages read, as queries. How they stay current is in `live.ts`; nothing here knows of the gateway. */
import {
  keepPreviousData,
  type QueryClient,
  type UseQueryResult,
  useMutation,
  useQuery,
  useQueryClient,
} from '@tanstack/react-query'
import type { Cart, Product, ProductList } from '../shared/types'
import { fetchCart, fetchCheckout, fetchProduct, fetchProducts, putInCart } from './api'

export const keys = {
  products: (category?: string) => ['products', { category: category ?? 'all' }] as const,
  product: (slug: string) => ['product', slug] as const,
  cart: ['cart'] as const,
  checkout: ['checkout'] as const,
}

export const useProducts = (category?: string): UseQueryResult<ProductList> =>
  useQuery({
    queryKey: keys.products(category),
    queryFn: () => fetchProducts(category),
    placeholderData: keepPreviousData,
  })

/** A product that was in a list is shown at once, as old as that list is. */
export function useProduct(slug: string): UseQueryResult<Product> {
  const client = useQueryClient()
  const known = findListed(client, slug)
  return useQuery({
    queryKey: keys.product(slug),
    queryFn: () => fetchProduct(slug),
    ...(known && { initialData: known.product, initialDataUpdatedAt: known.updatedAt }),
  })
}

export const useCart = (): UseQueryResult<Cart> => useQuery({ queryKey: keys.cart, queryFn: fetchCart })

/** How many of a product are in the cart: a card renders when its own number changes, not with every cart. */
export const useWanted = (productId: string): number =>
  useQuery({
    queryKey: keys.cart,
    queryFn: fetchCart,
    select: ({ lines }) => lines.find((line) => line.productId === productId)?.wanted ?? 0,
  }).data ?? 0

export const useCheckout = (): UseQueryResult<Cart> =>
  useQuery({ queryKey: keys.checkout, queryFn: fetchCheckout })

export function usePutInCart() {
  const client = useQueryClient()
  return useMutation({
    mutationFn: ({ productId, quantity }: { productId: string; quantity: number }) =>
      putInCart(productId, quantity),
    onSuccess: (cart) => {
      client.setQueryData(keys.cart, cart)
      void client.invalidateQueries({ queryKey: keys.checkout })
    },
  })
}

function findListed(client: QueryClient, slug: string): { product: Product; updatedAt: number } | undefined {
  for (const query of client.getQueryCache().findAll({ queryKey: ['products'] })) {
    const list = query.state.data as ProductList | undefined
    const product = list?.items.find((item) => item.slug === slug)
    if (product && !query.state.isInvalidated) return { product, updatedAt: query.state.dataUpdatedAt }
  }
  return undefined
}
