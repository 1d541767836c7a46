/**
 * Finds the products in what a shop's API answered. Narrow on purpose: it knows the usual shapes of lists and looks
 * nowhere else, or the id of a category or of a cart line would pass for that of a product.
 */
import { guard, type OnThrow } from './guard.js'

/** The products of one answer. */
export interface ProductIds {
  /** The id of the answer itself, if it has one. */
  readonly own: string | undefined
  /** The ids of what it lists. */
  readonly listed: ReadonlySet<string>
}

/** How to find products in data. */
export interface ProductIdOptions {
  /**
   * The fields that may hold the id of a product, best first. The first that is there counts.
   * @default ['productId', 'id', '_id']
   */
  readonly idFields?: readonly string[]
  /**
   * Finds them itself, for data of another shape: `(data) => data.shelves.flatMap((shelf) => shelf.skus)`.
   * @default arrays, `{ items }`, `{ products }`, `{ data }`, `{ lines }`, `{ results }`, `{ nodes }`, edges with nodes,
   * and pages of all these; an item is a product, or has one under `product`
   */
  readonly productIds?: (data: unknown) => Iterable<string | number>
}

const LIST_FIELDS = ['items', 'products', 'data', 'lines', 'results', 'nodes', 'edges', 'pages']
const ID_FIELDS = ['productId', 'id', '_id']
/** Pages of `{ data: { products: { edges: [{ node }] } } }` are the deepest usual shape. */
const MAX_DEPTH = 8
const NONE: ProductIds = { own: undefined, listed: new Set() }

/** Reads each answer once: caches keep the same object as long as nothing in it changed. */
export function createProductIndex(
  options: ProductIdOptions = {},
  onThrow: OnThrow = () => {},
): (data: unknown) => ProductIds {
  const { productIds, idFields = ID_FIELDS } = options
  const known = new WeakMap<object, ProductIds>()
  const readByShape = (data: object) => ({ own: readOwn(data, idFields), listed: readListed(data, idFields) })
  const read = productIds
    ? guard(
        (data: object) => ({ own: undefined, listed: new Set(Array.from(productIds(data), String)) }),
        NONE,
        onThrow,
      )
    : readByShape
  return (data) => {
    if (typeof data !== 'object' || data === null) return NONE
    let ids = known.get(data)
    if (!ids) {
      ids = read(data)
      known.set(data, ids)
    }
    return ids
  }
}

/** A product, alone or as `{ product }` or `{ data }`. */
function readOwn(data: unknown, idFields: readonly string[], depth = 0): string | undefined {
  if (!isRecord(data) || depth > MAX_DEPTH) return undefined
  return (
    idOf(data, idFields) ??
    readOwn(data.product, idFields, depth + 1) ??
    readOwn(data.data, idFields, depth + 1)
  )
}

function readListed(data: object, idFields: readonly string[]): ReadonlySet<string> {
  const listed = new Set<string>()

  function visit(value: unknown, depth: number): void {
    if (depth > MAX_DEPTH) return
    if (Array.isArray(value)) for (const item of value) visitItem(item, depth + 1)
    else if (isRecord(value)) for (const field of LIST_FIELDS) visit(value[field], depth + 1)
  }

  function visitItem(item: unknown, depth: number): void {
    const id = isRecord(item) ? itemId(item, idFields) : undefined
    if (id === undefined)
      visit(item, depth) // no item but a page of items
    else listed.add(id)
  }

  visit(data, 0)
  return listed
}

/** A line of a cart has an id of its own, so what it holds goes first. */
function itemId(item: Record<string, unknown>, idFields: readonly string[]): string | undefined {
  const { node, product } = item
  if (isRecord(node)) return itemId(node, idFields)
  return (isRecord(product) ? idOf(product, idFields) : undefined) ?? idOf(item, idFields)
}

function idOf(value: Record<string, unknown>, idFields: readonly string[]): string | undefined {
  for (const field of idFields) {
    const id = value[field]
    if ((typeof id === 'string' && id !== '') || typeof id === 'number') return String(id)
  }
  return undefined
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
