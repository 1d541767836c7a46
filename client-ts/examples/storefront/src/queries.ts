/** What the pages read, as queries. How they stay current is in `live.ts`; nothing here knows of the gateway. */
import { type UseQueryResult, useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import type { Cart, Product, ProductList } from '../shared/types'
import { fetchCart, fetchCheckout, fetchProduct, fetchProducts, putInCart } from './api'

export const keys = {
  products: (category?: string) => ['products', { category: category ?? 'all' }] as const,
  product: (slug: string) => ['product', slug] as const,
  cart: ['cart'] as const,
  checkout: ['checkout'] as const,
}

/** A shelf is shown out of the whole shop window if that is known, as old as it is. */
export function useProducts(category?: string): UseQueryResult<ProductList> {
  const whole = useFresh<ProductList>(keys.products())
  const items = category && whole?.data.items.filter((product) => product.category === category)
  return useQuery({
    queryKey: keys.products(category),
    queryFn: () => fetchProducts(category),
    ...(whole && items && { initialData: { items }, initialDataUpdatedAt: whole.updatedAt }),
  })
}

/** So is a product that was in a list. */
export function useProduct(slug: string): UseQueryResult<Product> {
  const whole = useFresh<ProductList>(keys.products())
  const product = whole?.data.items.find((item) => item.slug === slug)
  return useQuery({
    queryKey: keys.product(slug),
    queryFn: () => fetchProduct(slug),
    ...(whole && product && { initialData: product, initialDataUpdatedAt: whole.updatedAt }),
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

/** What another query has, unless something in it has changed since. It is looked at, not observed. */
function useFresh<T>(queryKey: readonly unknown[]): { data: T; updatedAt: number } | undefined {
  const state = useQueryClient().getQueryState<T>(queryKey)
  if (!state?.data || state.isInvalidated) return undefined
  return { data: state.data, updatedAt: state.dataUpdatedAt }
}
