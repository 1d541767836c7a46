/**
 * What the shop's API says and hears, as types, for both of its ends. Money is in cents: whole numbers add up, and
 * nothing is rounded before it is shown.
 */

export type Category = 'table' | 'vases' | 'light' | 'textiles' | 'objects' | 'seats'

/** How a product is drawn; see `src/art`. */
export interface Picture {
  readonly form: string
  readonly tone: string
  readonly accent?: string
  readonly backdrop: string
}

export interface Sale {
  readonly discountPercentage: number
  /** RFC 3339; missing: until somebody ends it. */
  readonly endsAt?: string
}

/** A product as a visitor sees it. */
export interface Product {
  readonly id: string
  readonly slug: string
  readonly name: string
  readonly category: Category
  readonly blurb: string
  readonly facts: readonly string[]
  readonly picture: Picture
  /** Without any sale. */
  readonly price: number
  /** With it. */
  readonly finalPrice: number
  readonly stock: number
  readonly sale: Sale | null
}

export interface ProductList {
  readonly items: readonly Product[]
}

export interface CartLine {
  readonly productId: string
  /** As many as the visitor put in … */
  readonly wanted: number
  /** … and as many as there are of those now. */
  readonly quantity: number
  readonly total: number
  readonly product: Product
}

export interface Cart {
  readonly lines: readonly CartLine[]
  readonly count: number
  readonly subtotal: number
  readonly shipping: number
  readonly total: number
}

export interface Contact {
  readonly name: string
  readonly email: string
  readonly address: string
}

/** What the admin panel may change of a product. */
export interface ProductPatch {
  readonly name?: string
  readonly price?: number
  readonly stock?: number
  readonly sale?: Sale | null
}
