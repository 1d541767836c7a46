/**
 * Which streams are needed. Pure. A stream resumes all of its products from one place, so products that stand at places
 * which cannot be compared are asked for by streams of their own, and brought together when all have caught up.
 */
import { oldestCursor, parseCursor } from './cursor.js'

/** One stream to open. */
export interface StreamPlan {
  readonly productIds: readonly string[]
  /** From where: a cursor, a time, or from now on. */
  readonly from: string | null
}

/** The streams that ask for these products: one from now on, one for each epoch of cursors, one for times. */
export function plansOf(since: ReadonlyMap<string, string | null>): StreamPlan[] {
  const groups = new Map<string, [string, string | null][]>()
  for (const [productId, from] of since) {
    const key = from === null ? 'now' : (parseCursor(from)?.epoch ?? 'time')
    groups.set(key, [...(groups.get(key) ?? []), [productId, from]])
  }
  return Array.from(groups.values(), (group) => ({
    productIds: group.map(([productId]) => productId),
    from: oldest(group.map(([, from]) => from).filter((from) => from !== null)),
  }))
}

/** Of cursors of one epoch, or of times. */
function oldest(places: readonly string[]): string | null {
  if (places.length === 0) return null
  return oldestCursor(places) ?? places.reduce((a, b) => (Date.parse(b) < Date.parse(a) ? b : a))
}

/**
 * What fits into a stream: the gateway takes 200 products and 16 KiB of URL. Ids need no escapes in a query.
 */
export function fitting(
  productIds: Iterable<string>,
  roomMax: number = PRODUCTS_MAX,
): { readonly fit: string[]; readonly tooMany: string[] } {
  const fit: string[] = []
  const tooMany: string[] = []
  let bytes = 0
  for (const productId of productIds) {
    bytes += productId.length + 1
    if (fit.length < roomMax && bytes <= PRODUCT_BYTES_MAX) fit.push(productId)
    else tooMany.push(productId)
  }
  return { fit, tooMany }
}

const PRODUCTS_MAX = 200
/** Room is left for the path and the other parameters. */
const PRODUCT_BYTES_MAX = 16 * 1024 - 512
