'use client'
/**
 * What the page uses its products for, as a Zustand store. The truth is `roles` of the page's sync: what is set here is
 * set there, and what the hooks set there is seen here.
 */
import { create, type StoreApi, type UseBoundStore } from 'zustand'
import type { ProductRole, ProductRoles } from './options.js'
import { knownPageSync, onPageSync, pageSync } from './page-sync.js'

/** The state of {@link useProductUpdateStore}. */
export interface ProductUpdateState {
  /** The product whose page is open. */
  readonly activeDetailProduct: string | null
  readonly cartProductIds: ReadonlySet<string>
  readonly checkoutProductIds: ReadonlySet<string>
  setActiveDetailProduct(productId: string | number | null): void
  /** Replaces the products in the cart. */
  syncCartProducts(productIds: Iterable<string | number>): void
  /** Replaces the products in checkout. */
  setCheckoutProducts(productIds: Iterable<string | number>): void
  clearCheckoutProducts(): void
  isCheckoutProduct(productId: string | number): boolean
}

/** The store of the page. On a server nothing may be set: it would be shared by all visitors. */
export const useProductUpdateStore: UseBoundStore<StoreApi<ProductUpdateState>> = create<ProductUpdateState>(
  (set, get) => {
    const setRole = mirrorRoles((roles) =>
      set({
        activeDetailProduct: [...roles.get('detail')].at(-1) ?? null,
        cartProductIds: roles.get('cart'),
        checkoutProductIds: roles.get('checkout'),
      }),
    )
    return {
      activeDetailProduct: null,
      cartProductIds: new Set(),
      checkoutProductIds: new Set(),
      setActiveDetailProduct: (productId) => setRole('detail', productId === null ? [] : [productId]),
      syncCartProducts: (productIds) => setRole('cart', productIds),
      setCheckoutProducts: (productIds) => setRole('checkout', productIds),
      clearCheckoutProducts: () => setRole('checkout', []),
      isCheckoutProduct: (productId) => get().checkoutProductIds.has(String(productId)),
    }
  },
)

/**
 * Mirrors the roles of the page's sync, whichever it is, and gives back how to set them. What was set so moves along
 * when the page gets another sync.
 */
function mirrorRoles(mirror: (roles: ProductRoles) => void) {
  const own = new Map<ProductRole, ReadonlySet<string>>()
  let roles: ProductRoles | undefined
  let stop: (() => void) | undefined

  function move(from: ProductRoles | undefined, to: ProductRoles | undefined): void {
    for (const [role, ids] of own) {
      from?.set(
        role,
        [...from.get(role)].filter((id) => !ids.has(id)),
      )
      to?.set(role, [...to.get(role), ...ids])
    }
  }

  function follow(): void {
    const last = roles
    stop?.()
    roles = knownPageSync()?.roles
    move(last, roles)
    const current = roles
    if (!current) return
    stop = current.onChange(() => mirror(current))
    mirror(current)
  }

  onPageSync(follow)
  follow()
  return (role: ProductRole, productIds: Iterable<string | number>): void => {
    own.set(role, new Set(Array.from(productIds, String)))
    pageSync().roles.set(role, own.get(role) ?? [])
  }
}
