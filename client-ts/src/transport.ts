/**
 * The seam between the core and the wire. A transport opens one connection when told to, and says what comes over it.
 * It does not reconnect, does not remember rooms and does not judge payloads: all of that is the core's, so that every
 * transport behaves alike.
 */
import type { Cursor, JoinResult } from './types.js'

/** Makes connections. Cheap to construct: nothing is loaded and nothing is opened before `open`. */
export interface Transport {
  /** For logs and `onEvent`. */
  readonly name: string
  /**
   * There is no connection without products (SSE names them in its URL): the core joins right after `open` and not first
   * after `onOpen`, which then says that the joined products are heard.
   * @default false
   */
  readonly opensByJoining?: boolean
  /**
   * Opens a connection. Never throws: whatever goes wrong comes as `onClose`, also an error while loading code or in
   * the shop's own token function. Handlers are called only after `open` has returned, and never after `close()`.
   */
  open(handlers: ConnectionHandlers): Connection
}

/** How a connection reports. Payloads are `unknown`, the core checks them. */
export interface ConnectionHandlers {
  /** The gateway has greeted; joins may be sent. At most once. */
  onOpen(hello: Hello): void
  /** A `batched_product_update`. */
  onBatch(payload: unknown): void
  /** A `resync_required`. */
  onResync(payload: unknown): void
  /** A `position`, as told every 20 s. */
  onPosition(payload: unknown): void
  /** An `error`: something was refused, the connection lives. */
  onRefusal(payload: unknown): void
  /** The connection is of no more use. Exactly once, unless `close()` was called before. */
  onClose(reason: CloseReason): void
}

/** What a gateway says of itself. */
export interface Hello {
  readonly authenticated: boolean
  /** Milliseconds since 1970 by the gateway's clock, if it told. */
  readonly serverTimeMs?: number
}

/** Why a connection ended. */
export interface CloseReason {
  /**
   * `unauthorized`: the gateway refuses the token; trying again with the same one is pointless.
   * `refused`: the gateway is there and does not want us now. `lost`: anything else; an ordinary reconnect.
   */
  readonly kind: 'lost' | 'refused' | 'unauthorized'
  /** For people and `onEvent`. */
  readonly message: string
  /** Not before. Told by gateways that are full. */
  readonly retryAfterMs?: number
}

/** One open connection. Calls before `onOpen` (unless it opens by joining) or after the end are ignored. */
export interface Connection {
  /**
   * Joins products, each from where its subscriber stands: a cursor, an RFC 3339 time of the gateway's clock, or `null`
   * for "from now on". Also for products already joined, when a hole was found: then it asks again. What was missed
   * comes through `onBatch` and `onResync`, before the answer.
   */
  join(since: ReadonlyMap<string, string | null>): Promise<JoinAnswer>
  /** Leaves products. */
  leave(productIds: readonly string[]): void
  /** Ends the connection at once; no handler is called any more. Idempotent. */
  close(): void
}

/** Rejected (with an `Error`) if no answer came: the connection is then to be given up. */
export interface JoinAnswer {
  /** Everything of the joined products up to here has been told. Missing: this transport cannot say. */
  readonly cursor?: Cursor
  readonly results: ReadonlyMap<string, JoinResult>
}
