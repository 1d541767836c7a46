/** What the examples of the README take for granted: a shop, and the frameworks that are not installed here. */
interface Product {
  readonly id: string
  readonly name: string
  readonly price: number
}
interface Cart {
  readonly lines: readonly { readonly productId: string }[]
  readonly total: number
}
type OrderAnswer =
  | { readonly needsUpdate: false }
  | {
      readonly needsUpdate: true
      readonly corrections: readonly { readonly productId: string; readonly sentence: string }[]
      readonly corrected: Cart
    }

declare function fetchProducts(): Promise<readonly Product[]>
declare function fetchProduct(id: string): Promise<Product>
declare function fetchCart(): Promise<Cart>
declare function placeOrder(seen: Cart): Promise<OrderAnswer>

declare module 'vue' {
  export function onMounted(hook: () => void): void
  export function onUnmounted(hook: () => void): void
}
declare module '@tanstack/vue-query' {
  export { useQueryClient } from '@tanstack/react-query'
}
declare module 'svelte' {
  export function onMount(hook: () => undefined | (() => void)): void
}
declare module '@tanstack/svelte-query' {
  export { useQueryClient } from '@tanstack/react-query'
}
