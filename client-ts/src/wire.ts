/**
 * The edge: what comes from the network is `unknown` until it has passed here. Fields that older gateways do not send are
 * filled in; anything else that is not as documented is a problem, which is reported and never thrown.
 */
import type {
  BatchedProductUpdate,
  Connected,
  GatewayError,
  JoinResult,
  PositionBeat,
  ProductEvent,
  ResyncReason,
  ResyncRequired,
} from './types.js'

/** What was read, or why it could not be. */
export type Read<T> = { readonly value: T } | { readonly problem: string }

type Fields = Readonly<Record<string, unknown>>

/** A `batched_product_update`. */
export function readBatch(payload: unknown): Read<BatchedProductUpdate> {
  if (!isFields(payload)) return { problem: 'not an object' }
  const { productId, timestamp } = payload
  if (!isText(productId)) return { problem: 'productId is not a text' }
  if (!Array.isArray(payload.events)) return { problem: 'events is not a list' }
  if (!payload.events.every(isEvent)) return { problem: 'an event has no productId, type or data' }
  if (!isText(timestamp)) return { problem: 'timestamp is not a text' }
  const events: readonly ProductEvent[] = payload.events
  const value = {
    productId,
    events,
    timestamp,
    count: numberOr(payload.count, events.length),
    cursor: textOr(payload.cursor, ''),
    previousCursor: textOr(payload.previousCursor, ''),
    spreadMs: spreadOf(payload),
  }
  return { value: payload.replay === true ? { ...value, replay: true } : value }
}

/** A `resync_required`. A reason of the future is a gap. */
export function readResync(payload: unknown): Read<ResyncRequired> {
  if (!isFields(payload)) return { problem: 'not an object' }
  const { productIds } = payload
  const value = {
    reason: isReason(payload.reason) ? payload.reason : ('gap' as const),
    cursor: textOr(payload.cursor, ''),
    spreadMs: spreadOf(payload),
  }
  if (productIds === undefined) return { value }
  if (!Array.isArray(productIds) || !productIds.every(isText))
    return { problem: 'productIds is not a list of texts' }
  return { value: { ...value, productIds } }
}

/** A `position`. */
export function readPosition(payload: unknown): Read<PositionBeat> {
  if (!isFields(payload)) return { problem: 'not an object' }
  const { cursor, products } = payload
  if (!isText(cursor)) return { problem: 'cursor is not a text' }
  return { value: { cursor, products: textsOf(products) } }
}

/** A `connected`. Only older gateways leave anything out. */
export function readConnected(payload: unknown): Read<Connected> {
  if (!isFields(payload)) return { problem: 'not an object' }
  const { features } = payload
  return {
    value: {
      socketId: textOr(payload.socketId, ''),
      authenticated: payload.authenticated === true,
      cursor: textOr(payload.cursor, ''),
      serverTime: textOr(payload.serverTime, ''),
      features: Array.isArray(features) ? features.filter(isText) : [],
    },
  }
}

/** An `error`. */
export function readError(payload: unknown): Read<GatewayError> {
  if (!isFields(payload)) return { problem: 'not an object' }
  const { productId } = payload
  const value = { message: textOr(payload.message, ''), code: textOr(payload.code, 'unknown') }
  return { value: isText(productId) ? { ...value, productId } : value }
}

/** The answer to `join_products`: how each product was answered. A refusal of the whole message names no product. */
export function readJoined(
  payload: unknown,
): Read<{ cursor: string; code: string | undefined; results: Readonly<Record<string, JoinResult>> }> {
  if (!isFields(payload)) return { problem: 'not an object' }
  const { code } = payload
  return {
    value: {
      cursor: textOr(payload.cursor, ''),
      code: isText(code) ? code : undefined,
      results: textsOf(payload.results),
    },
  }
}

/** Whether the gateway takes it for a product id. What it does not is never sent: too long, it would end the connection. */
export function isProductId(text: string): boolean {
  return /^[A-Za-z0-9._:~-]{1,128}$/.test(text)
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

/** A type of the future is let through: that something changed is worth knowing. */
function isEvent(value: unknown): value is ProductEvent {
  return isFields(value) && isText(value.productId) && isText(value.type) && isFields(value.data)
}

const REASONS: readonly unknown[] = ['log_reset', 'expired', 'gap', 'slow'] satisfies ResyncReason[]

function isReason(value: unknown): value is ResyncReason {
  return REASONS.includes(value)
}

function textOr<T extends string>(value: unknown, otherwise: T): string {
  return isText(value) ? value : otherwise
}

function numberOr(value: unknown, otherwise: number): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : otherwise
}

/** Never more than a minute: a number gone wrong must not keep a page from being fetched. */
function spreadOf(fields: Fields): number {
  const SPREAD_MS_MAX = 60_000
  return Math.min(Math.max(0, numberOr(fields.spreadMs, 0)), SPREAD_MS_MAX)
}

function textsOf(value: unknown): Readonly<Record<string, string>> {
  if (!isFields(value)) return {}
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => isText(entry[1])),
  )
}
