/**
 * What a back-end can set, what it publishes and what it is told. Types only: the promises of the publisher, in one
 * place.
 */
import type { ProductEventData, ProductEventType } from '../types.js'

/** Options of `createPublisher`. All have defaults; in production set the address and the key, here or by environment. */
export interface PublisherOptions {
  /**
   * Where the gateway is, e.g. `http://shelfcast:3003`. A path is kept: `https://shop.example/rt` posts to
   * `/rt/api/notify`.
   * @default the environment's WEBSOCKET_GATEWAY_URL, or http://localhost:3003
   */
  readonly url?: string | undefined
  /**
   * One of the gateway's keys. A function is asked before every try, so that a key can be changed while the process runs.
   * @default the environment's INTERNAL_API_KEY; of a comma list, the first
   */
  readonly apiKey?: string | (() => string | Promise<string>) | undefined
  /**
   * Events that wait, beside those under way. What is beyond is refused and reported.
   * @default 10000
   */
  readonly maxQueuedEvents?: number
  /**
   * The same in bytes of JSON, because 10,000 large events are 160 MB.
   * @default 16777216
   */
  readonly maxQueuedBytes?: number
  /**
   * Requests under way at once. With one, events reach the log in the order in which they were published. With more,
   * a catalogue passes faster over a slow line, and the order of events in different requests is lost.
   * @default 1
   */
  readonly maxInFlight?: number
  /**
   * How long one try may take, its answer included.
   * @default 10000
   */
  readonly timeoutMs?: number
  /** How long to wait between tries. A `Retry-After` of the gateway goes first. */
  readonly retry?: PublisherRetryOptions
  /**
   * How long a request is tried again before its events are reported as `expired`. The gateway knows a retry again for
   * a day (IDEMPOTENCY_TTL_SECS); stay well below, or a late retry is appended twice.
   * @default 43200000, half a day
   */
  readonly giveUpAfterMs?: number
  /**
   * Hears what becomes of the events, and why they wait. Called at once, also from within `publish`: keep it short, and
   * do not publish again in it what was refused because the queue is full. What it throws is printed and harms nothing.
   * @default none
   */
  readonly onReport?: (report: PublisherReport) => void
  /**
   * Makes the requests: for proxies, tracing and tests.
   * @default the platform's fetch
   */
  readonly fetch?: typeof fetch
  /**
   * A source of random numbers in [0, 1), for tests.
   * @default Math.random
   */
  readonly random?: () => number
}

/** Waits between the tries of one request. */
export interface PublisherRetryOptions {
  /**
   * The first wait is drawn from [minMs, 2 × minMs), and the upper end doubles with each try …
   * @default 250
   */
  readonly minMs?: number
  /**
   * … up to here. What no waiting mends, such as a wrong key, is tried at this pace from the start.
   * @default 30000
   */
  readonly maxMs?: number
}

/** One change of one product. */
export type PublishEvent = {
  [T in ProductEventType]: {
    /** 1 to 128 characters of `A-Z a-z 0-9 . _ : ~ -`, or a whole number. */
    readonly productId: string | number
    readonly type: T
    /** Up to 16 KiB of JSON. It is read when it is published; changing it afterwards changes nothing. */
    readonly data: ProductEventData[T]
    /**
     * RFC 3339: when it happened.
     * @default when it was published
     */
    readonly timestamp?: string | undefined
    /** Events with the same id are accepted once within a day, whoever sends them: for a table of events to be sent. */
    readonly eventId?: string | undefined
  }
}[ProductEventType]

/** Tells the gateway what changed. No method throws, rejects or waits for the network. */
export interface Publisher {
  /** Publishes an event. `false`: it was refused here, and that was reported. */
  publish(event: PublishEvent): boolean
  /** The product was created, changed or deleted. */
  productUpdate(productId: string | number, data: ProductEventData['product_update']): boolean
  /** Its stock changed. */
  inventoryUpdate(productId: string | number, data: ProductEventData['inventory_update']): boolean
  /** Its price changed. */
  priceUpdate(productId: string | number, data: ProductEventData['price_update']): boolean
  /** A sale began or ended. */
  saleUpdate(productId: string | number, data: ProductEventData['sale_update']): boolean
  /**
   * Publishes any number of events, for changes of a whole catalogue. It fills at most half of the queue and takes the
   * others in as there is room, so single events pass by what still waits outside. Await it before the next one: what
   * waits outside is in the caller's memory. Resolves when each event was accepted or failed.
   */
  many(events: Iterable<PublishEvent>): Promise<ManyResult>
  /**
   * Waits until nothing is left to send, at most `timeoutMs` (default 10,000). Retries that would wait long are made
   * within a second, unless the gateway named a time. Keeps the process alive meanwhile; otherwise the publisher does
   * not.
   */
  flush(options?: { readonly timeoutMs?: number }): Promise<FlushResult>
  /**
   * For the end of the process: takes nothing new, flushes, and reports what is left then as failed. Calling it twice
   * closes once.
   */
  close(options?: { readonly timeoutMs?: number }): Promise<FlushResult>
  /** Figures for a health page or metrics. */
  stats(): PublisherStats
}

/** What became of a `many`. */
export interface ManyResult {
  readonly accepted: number
  readonly failed: number
}

/** How a `flush` or `close` ended. */
export interface FlushResult {
  /** Nothing was left. */
  readonly done: boolean
  /** Events without an outcome when the time was over. After `close` they have failed. */
  readonly left: number
}

/** `published` is always the sum of `accepted`, `failed`, `queued` and `underWay`. */
export interface PublisherStats {
  /** Events that were given to the publisher. Those that a `many` still holds are not counted. */
  readonly published: number
  readonly accepted: number
  readonly failed: number
  readonly queued: number
  readonly queuedBytes: number
  /** Events of requests that are being sent or tried again. */
  readonly underWay: number
  /** Tries, of which `retries` were not the first of their request. */
  readonly requests: number
  readonly retries: number
  /** Why the last try failed. Gone as soon as one succeeds. */
  readonly lastError: string | undefined
}

/** What happened to events. Each event is in one `accepted` or one `failed`, unless the process ends before. */
export type PublisherReport =
  | {
      readonly type: 'accepted'
      readonly count: number
      /** Of these, how many the gateway knew already by their `eventId`. */
      readonly duplicates: number
      /** The position of the last one in the gateway's log. */
      readonly cursor: string
      /** Tries it took. */
      readonly tries: number
    }
  | {
      readonly type: 'failed'
      /** As they were given, or what JSON made of them. */
      readonly events: readonly unknown[]
      readonly reason: PublishFailure
      /** For people. */
      readonly message: string
      /** An answer was lost on the way: the gateway may have them all the same. */
      readonly maybeAccepted: boolean
    }
  | {
      readonly type: 'retrying'
      readonly count: number
      /** Tries so far. */
      readonly tries: number
      readonly delayMs: number
      readonly message: string
    }

/**
 * - `invalid`, `too_large`: the event is none, told at once. `queue_full`, `closed`: there was no place for it.
 * - `refused`: the gateway refuses it and always will. `expired`: tried for `giveUpAfterMs` without an answer that
 *   settles it.
 */
export type PublishFailure = 'invalid' | 'too_large' | 'queue_full' | 'closed' | 'refused' | 'expired'
