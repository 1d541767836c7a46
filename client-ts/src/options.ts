/**
 * What a shop can set, and what `createProductSync` gives back. Types only: the promises of the core, in one place.
 */

import type { Transport } from './transport.js'
import type { BatchedProductUpdate, ResyncReason } from './types.js'

/** Options of {@link createProductSync}. Give `url` or `transport`. */
export interface ProductSyncOptions {
  /**
   * Where the gateway is, e.g. `https://rt.shop.example`. Short for `transport: socketIo(url)`, with socket.io-client
   * loaded when the first product is subscribed.
   * @default none
   */
  readonly url?: string
  /**
   * How to reach the gateway, when not by `url`: `socketIo(url, …)`, `sse(url, …)` or your own.
   * @default none
   */
  readonly transport?: Transport
  /**
   * A token for the handshake, asked for before every connection, so that an expired one is replaced. Only with `url`.
   * @default anonymous
   */
  readonly token?: () => string | undefined | Promise<string | undefined>
  /** When to try again. */
  readonly reconnect?: ReconnectOptions
  /**
   * How long a product stays joined after its last subscriber left. Covers React's StrictMode, route changes and cards
   * that scroll out and in again.
   * @default 2000
   */
  readonly lingerMs?: number
  /**
   * A tab hidden for so long gives up its connection, and catches up when it is seen again.
   * @default 60000
   */
  readonly pauseHiddenAfterMs?: number
  /**
   * Products joined at once. Above it those of the viewport give way, oldest first; never cart, checkout or detail.
   * @default 200, the gateway's own limit
   */
  readonly maxRooms?: number
  /**
   * Hears everything the sync does. What it throws is reported to the console and harms nothing.
   * @default none
   */
  readonly onEvent?: (event: ProductSyncEvent) => void
  /**
   * Print what happens to the console, e.g. `[WebSocket] Subscribing to product: X (in view)`.
   * @default false
   */
  readonly debug?: boolean
  /**
   * A source of random numbers in [0, 1), for tests.
   * @default Math.random
   */
  readonly random?: () => number
}

/** Options of reconnecting. It never gives up while something is subscribed. */
export interface ReconnectOptions {
  /**
   * The first try after a loss comes after a time drawn evenly from [0, firstSpreadMs): a gateway that restarts does
   * not get all its clients back in one moment.
   * @default 5000
   */
  readonly firstSpreadMs?: number
  /**
   * Later tries wait at least so long …
   * @default 1000
   */
  readonly minMs?: number
  /**
   * … and at most so long.
   * @default 30000
   */
  readonly maxMs?: number
  /**
   * A connection counts as good, and the waiting starts over, when it has held so long.
   * @default 5000
   */
  readonly stableAfterMs?: number
}

/**
 * - `idle`: nothing is subscribed, nothing is open.
 * - `connecting`, `connected`: as they say.
 * - `waiting`: lost, and the next try is scheduled.
 * - `paused`: the page is hidden or in the back/forward cache; it goes on when it is seen.
 * - `failed`: the gateway refuses the token. Left by `reconnectNow()`, and tried once when the page is seen again.
 */
export type SocketStatus = 'idle' | 'connecting' | 'connected' | 'waiting' | 'paused' | 'failed'

/** What the page uses a product for. It decides how soon a change is fetched. */
export type ProductRole = 'detail' | 'cart' | 'checkout'

/** Something about a product changed: told to every listener, in order. */
export type ProductChange =
  | {
      readonly kind: 'batch'
      readonly productId: string
      readonly batch: BatchedProductUpdate
      readonly spreadMs: number
    }
  /** Something was missed and cannot be told event by event: refetch. */
  | {
      readonly kind: 'resync'
      readonly productId: string
      /** `unanswered`: an older gateway did not say what was missed. `requested`: by {@link ProductSync.resync}. */
      readonly reason: ResyncReason | 'unanswered' | 'requested'
      readonly spreadMs: number
    }

/** One who wants a product kept current. */
export interface ProductSubscriber {
  /** Called for every change. What it throws is reported and harms nothing. */
  readonly onChange?: (change: ProductChange) => void
  /**
   * When the data on screen was fetched, in milliseconds since 1970 by this machine's clock. Asked at every join, so that
   * what changed between the fetch (perhaps on a server, minutes ago) and the join is caught up with.
   * @default from now on
   */
  readonly since?: () => number | undefined
  /** Why it is wanted, for `debug`: `in view`, `detail page`. */
  readonly why?: string
}

/** The state of a sync, a new object whenever something in it changed. */
export interface ProductSyncSnapshot {
  readonly status: SocketStatus
  readonly authenticated: boolean
  /** How many products are joined or to be joined. */
  readonly rooms: number
  /** Waits since the last good connection: 0 while all is well. */
  readonly attempt: number
  readonly lastError: string | undefined
}

/** Which products the page uses for what. The products of all three are followed without any subscriber. */
export interface ProductRoles {
  /** The ids of a role. The same object until they change. */
  get(role: ProductRole): ReadonlySet<string>
  /** Replaces the ids of a role. */
  set(role: ProductRole, productIds: Iterable<string | number>): void
  has(role: ProductRole, productId: string | number): boolean
  /** Called after every change. Returns a stop. */
  onChange(listener: () => void): () => void
}

/** One sync per page. See {@link createProductSync}. */
export interface ProductSync {
  /** Keeps a product current until the returned stop is called. Stopping twice stops once. */
  subscribe(productId: string | number, subscriber?: ProductSubscriber): () => void
  /** Hears the changes of all products that are followed. For bindings. */
  onProductChange(listener: (change: ProductChange) => void): () => void
  readonly roles: ProductRoles
  getSnapshot(): ProductSyncSnapshot
  /** Called when {@link ProductSync.getSnapshot} has something new. Returns a stop. */
  onSnapshot(listener: () => void): () => void
  /** Tries at once, whatever is being waited for: after the visitor signed in, or pressed "retry". */
  reconnectNow(): void
  /** Tells every listener to refetch all that is followed. */
  resync(): void
  /** Passes something to `onEvent` and `debug`: how bindings tell what they fetched. Never throws. */
  report(event: ProductSyncEvent): void
  /** What is joined, for a debug panel. */
  inspect(): readonly InspectedRoom[]
  /** Closes and forgets everything. A disposed sync can be used no more. */
  dispose(): void
}

/** One room of {@link ProductSync.inspect}. */
export interface InspectedRoom {
  readonly productId: string
  readonly subscribers: number
  readonly roles: readonly ProductRole[]
  readonly state: 'wanted' | 'joining' | 'joined' | 'lingering' | 'refused'
  readonly cursor: string | undefined
}

/** Everything a sync does, for logs and metrics. */
export type ProductSyncEvent =
  | { readonly type: 'connecting'; readonly transport: string; readonly attempt: number }
  | { readonly type: 'open'; readonly authenticated: boolean }
  | { readonly type: 'closed'; readonly reason: string }
  | { readonly type: 'waiting'; readonly delayMs: number; readonly attempt: number }
  | { readonly type: 'join'; readonly productIds: readonly string[] }
  | { readonly type: 'leave'; readonly productIds: readonly string[] }
  | { readonly type: 'batch'; readonly batch: BatchedProductUpdate; readonly lagMs: number | undefined }
  | { readonly type: 'duplicate'; readonly productId: string; readonly cursor: string }
  | { readonly type: 'hole'; readonly productId: string; readonly from: string; readonly to: string }
  | {
      readonly type: 'resync'
      readonly productIds: readonly string[]
      readonly reason: string
      readonly spreadMs: number
    }
  | {
      readonly type: 'flush'
      readonly scope: string
      readonly productIds: readonly string[]
      readonly fetched: number
    }
  | { readonly type: 'malformed'; readonly name: string; readonly problem: string }
  | {
      readonly type: 'refused'
      readonly code: string
      readonly message: string
      readonly productId: string | undefined
    }
  | { readonly type: 'status'; readonly status: SocketStatus }
  | { readonly type: 'error'; readonly error: unknown }
