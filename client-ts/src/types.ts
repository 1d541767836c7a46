/**
 * The words of the wire, as types: events, batches, answers. See PROTOCOL.md, which has each as JSON.
 * Nothing here runs; what comes from outside is checked in `wire.ts` before it may carry one of these types.
 */

/** What happened to a product. */
export type ProductEventType = 'product_update' | 'inventory_update' | 'price_update' | 'sale_update'

/**
 * The `data` of each type of event. Every field is optional: the gateway passes through what a shop sends, and a shop
 * sends what it knows. Ids come as strings or numbers; compare them as strings.
 */
export interface ProductEventData {
  product_update: {
    readonly productId?: string | number
    readonly name?: string
    readonly price?: number
    readonly stock?: number
    readonly action?: 'created' | 'updated' | 'deleted'
    readonly timestamp?: string
    readonly [field: string]: unknown
  }
  inventory_update: {
    readonly productId?: string | number
    readonly productName?: string
    readonly currentStock?: number
    readonly previousStock?: number
    readonly timestamp?: string
    readonly [field: string]: unknown
  }
  price_update: {
    readonly productId?: string | number
    readonly oldPrice?: number
    readonly newPrice?: number
    readonly discountPercentage?: number
    readonly timestamp?: string
    readonly [field: string]: unknown
  }
  sale_update: {
    readonly productId?: string | number
    readonly active?: boolean
    readonly discountPercentage?: number
    readonly startsAt?: string
    readonly endsAt?: string
    readonly stockLimit?: number
    readonly timestamp?: string
    readonly [field: string]: unknown
  }
}

/** One event of a batch. Switch on `type` and `data` has the fields of that type. */
export type ProductEvent = {
  [T in ProductEventType]: {
    readonly productId: string
    readonly type: T
    readonly data: ProductEventData[T]
    /** RFC 3339: when it happened, as the shop said, or when the gateway accepted it. */
    readonly timestamp: string
  }
}[ProductEventType]

/** A place in the gateway's log, `epoch.n`. Only `n` of one epoch can be compared, see `cursor.ts`. */
export type Cursor = string

/** What leaves the gateway: the events of one product that were accepted within one window. */
export interface BatchedProductUpdate {
  readonly productId: string
  /** Oldest first. Empty: something changed, and only a refetch tells what. */
  readonly events: readonly ProductEvent[]
  /** RFC 3339, the log's time of the newest event. */
  readonly timestamp: string
  readonly count: number
  /** The position of the newest event. Safe to resume this product from, and no other. */
  readonly cursor: Cursor
  /** The position of this product's event just before the batch. A client that stands below has a hole. */
  readonly previousCursor: Cursor
  /** Wait a time drawn evenly from [0, spreadMs) before asking the shop, so that not everybody asks at once. */
  readonly spreadMs: number
  /** It answers a resume, and may repeat events. */
  readonly replay?: boolean
}

/** Why only a refetch helps. */
export type ResyncReason = 'log_reset' | 'expired' | 'gap' | 'slow'

/** The word to refetch: what was missed cannot be told event by event. */
export interface ResyncRequired {
  readonly reason: ResyncReason
  /** Which products; missing: all that this client follows. */
  readonly productIds?: readonly string[]
  /** Where to resume from once these are refetched. */
  readonly cursor: Cursor
  readonly spreadMs: number
}

/** Said every 20 seconds: how far this connection has been told everything. */
export interface PositionBeat {
  readonly cursor: Cursor
  /** The newest position of each followed product that changed since the last beat. */
  readonly products: Readonly<Record<string, Cursor>>
}

/** The first word of a Socket.IO connection. */
export interface Connected {
  readonly socketId: string
  readonly authenticated: boolean
  readonly cursor: Cursor
  /** RFC 3339, the log's time: turns the browser's clock into the gateway's. */
  readonly serverTime: string
  /** Names of what this gateway has beyond the original events. */
  readonly features: readonly string[]
}

/** A refusal. `code` is stable, `message` is for people. */
export interface GatewayError {
  readonly message: string
  readonly code:
    | 'invalid_product_id'
    | 'too_many_products'
    | 'rate_limited'
    | 'bad_request'
    | 'unauthorized'
    | (string & {})
  readonly productId?: string
}

/** How one product of a `join_products` was answered; other strings are codes of refusals. */
export type JoinResult = 'joined' | 'events' | 'up_to_date' | 'resync_required' | (string & {})

/** What the gateway says over Socket.IO: `io<ServerToClientEvents, ClientToServerEvents>(url)`. */
export interface ServerToClientEvents {
  connected: (hello: Connected) => void
  batched_product_update: (batch: BatchedProductUpdate) => void
  resync_required: (word: ResyncRequired) => void
  position: (beat: PositionBeat) => void
  error: (error: GatewayError) => void
  pong: () => void
}

/** What a client says over Socket.IO. Every acknowledgement is optional. */
export interface ClientToServerEvents {
  join_product: (
    productId: string | readonly string[],
    ack?: (answer: {
      ok: boolean
      joined: string[]
      refused: Record<string, string>
      cursor: Cursor
    }) => void,
  ) => void
  leave_product: (productId: string | readonly string[], ack?: (answer: { ok: boolean }) => void) => void
  join_products: (
    since: Readonly<Record<string, string | null>>,
    ack?: (answer: { ok: boolean; cursor: Cursor; results: Record<string, JoinResult> }) => void,
  ) => void
  request_sync: (
    productId: string,
    lastTimestamp?: string | null,
    ack?: (
      answer:
        | { ok: true; status: 'events' | 'up_to_date' | 'resync_required'; cursor: Cursor }
        | { ok: false; code: string },
    ) => void,
  ) => void
  ping: () => void
}
