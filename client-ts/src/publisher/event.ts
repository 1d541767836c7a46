/**
 * One event as JSON, checked for what can be known here: a mistake is told at the call that made it, and not after a
 * round trip. The gateway checks the rest (times, nesting, ids of events) and has the last word. Never throws.
 */
import type { ProductEventType } from '../types.js'
import type { PublishFailure } from './options.js'

/** The gateway's limit for the `data` of one event. */
const DATA_BYTES_MAX = 16 * 1024
const PRODUCT_ID = /^[A-Za-z0-9._:~-]{1,128}$/
const TYPES: Readonly<Record<ProductEventType, true>> = {
  product_update: true,
  inventory_update: true,
  price_update: true,
  sale_update: true,
}

/** An event as it will be sent. Text, so that what the caller changes later does not change it. */
export interface Serialised {
  readonly json: string
  readonly bytes: number
}

/** Why it cannot be sent. */
export interface Unfit {
  readonly reason: PublishFailure
  readonly message: string
}

/** What a caller without TypeScript may hand in: anything. */
export function serialise(event: unknown): Serialised | Unfit {
  try {
    return serialiseFields(event as Record<string, unknown>)
  } catch (error) {
    return invalid(`it cannot be written as JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
}

function serialiseFields({
  productId,
  type,
  data,
  timestamp,
  eventId,
}: Record<string, unknown>): Serialised | Unfit {
  const id = typeof productId === 'number' && Number.isSafeInteger(productId) ? String(productId) : productId
  if (typeof id !== 'string' || !PRODUCT_ID.test(id)) {
    return invalid('productId: 1 to 128 characters of A-Z a-z 0-9 . _ : ~ -, or a whole number')
  }
  if (typeof type !== 'string' || !Object.hasOwn(TYPES, type)) {
    return invalid(`type: one of ${Object.keys(TYPES).join(', ')}`)
  }
  const dataJson: string | undefined = JSON.stringify(data)
  if (!dataJson?.startsWith('{')) return invalid('data: an object')
  const dataBytes = byteLength(dataJson)
  if (dataBytes > DATA_BYTES_MAX) {
    return { reason: 'too_large', message: `data: ${dataBytes} bytes of JSON, at most ${DATA_BYTES_MAX}` }
  }
  // The time of the call: events that wait for a gateway would otherwise get the time of their acceptance.
  const rest = JSON.stringify({
    productId: id,
    type,
    timestamp: timestamp ?? new Date(),
    eventId: eventId ?? undefined,
  })
  const json = `${rest.slice(0, -1)},"data":${dataJson}}`
  return { json, bytes: byteLength(json) }
}

const invalid = (message: string): Unfit => ({ reason: 'invalid', message })

const utf8 = new TextEncoder()
const byteLength = (text: string): number => utf8.encode(text).length
