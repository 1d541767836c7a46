/** The shop's API, as functions. */
import type { Order, OrderAnswer } from '../../checkout-validation/order'
import type { Cart, Contact, Product, ProductList } from '../shared/types'

export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message)
  }
}

export async function call<T>(path: string, method = 'GET', body?: object, headers = {}): Promise<T> {
  const response = await fetch(`/api${path}`, {
    method,
    ...(body && { headers: { 'Content-Type': 'application/json', ...headers }, body: JSON.stringify(body) }),
  })
  const answer = await response.json()
  if (!response.ok) throw new ApiError(response.status, answer.message ?? response.statusText)
  return answer
}

export const fetchProducts = (category?: string): Promise<ProductList> =>
  call(category ? `/products?category=${encodeURIComponent(category)}` : '/products')
export const fetchProduct = (slug: string): Promise<Product> => call(`/products/${encodeURIComponent(slug)}`)
export const fetchCart = (): Promise<Cart> => call('/cart')
export const fetchCheckout = (): Promise<Cart> => call('/checkout')
export const putInCart = (productId: string, quantity: number): Promise<Cart> =>
  call(`/cart/${encodeURIComponent(productId)}`, 'PUT', { quantity })
export const sendOrder = (contact: Contact | undefined, order: Order, key: string): Promise<OrderAnswer> =>
  call('/checkout', 'POST', { ...contact, ...order }, { 'Idempotency-Key': key })
