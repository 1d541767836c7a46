/**
 * A gateway that lives in a test's memory: it keeps a log, knows who joined what, and answers joins as the real one does.
 * It has no network, no clock of its own and no limits.
 *
 * ```ts
 * const gateway = fakeTransport()
 * const sync = createProductSync({ transport: gateway })
 * sync.subscribe('p1', { onChange })
 * await gateway.settled()
 * gateway.deliver('p1')
 * ```
 */
import type {
  CloseReason,
  Connection,
  ConnectionHandlers,
  Hello,
  JoinAnswer,
  Transport,
} from './transport.js'
import type { BatchedProductUpdate, GatewayError, JoinResult, PositionBeat, ResyncRequired } from './types.js'

/** Options of {@link fakeTransport}. */
export interface FakeTransportOptions {
  /**
   * Greets as soon as it is opened. Without, the test calls `greet()`.
   * @default true
   */
  readonly greets?: boolean
  /**
   * How a join is answered, in place of the log. A promise that never settles is a gateway that hangs.
   * @default from the log: what was missed is delivered first
   */
  readonly answer?: (since: ReadonlyMap<string, string | null>) => JoinAnswer | Promise<JoinAnswer>
}

/** What the core asked of a connection. */
export type FakeCall =
  | { readonly type: 'join'; readonly since: Readonly<Record<string, string | null>> }
  | { readonly type: 'leave'; readonly productIds: readonly string[] }

/** A transport that does what a test says. What is told while no connection is open only goes into the log. */
export interface FakeTransport extends Transport {
  /** Connections opened so far. */
  readonly opened: number
  /** A connection is open, and was greeted. */
  readonly isOpen: boolean
  /** What the open connection has joined. */
  readonly joined: ReadonlySet<string>
  /** Every join and leave, oldest first. */
  readonly calls: readonly FakeCall[]
  /** Greets the connection. */
  greet(hello?: Partial<Hello>): void
  /** Something happened to a product: appended to the log, and told if the product is joined. Returns the batch. */
  deliver(productId: string, batch?: Partial<BatchedProductUpdate>): BatchedProductUpdate
  /** The same, but nobody is told: it got lost on the way. */
  miss(productId: string, batch?: Partial<BatchedProductUpdate>): BatchedProductUpdate
  /** Tells to refetch; without `productIds` everything. */
  resync(word?: Partial<ResyncRequired>): void
  /** Tells the position. */
  beat(beat?: Partial<PositionBeat>): void
  /** Tells a refusal. */
  refuse(error: GatewayError): void
  /** Hands over any payload under any of the names, to try what a gateway should never send. */
  send(name: 'onBatch' | 'onResync' | 'onPosition' | 'onRefusal', payload: unknown): void
  /** The connection ends. */
  drop(reason?: Partial<CloseReason>): void
  /** The log begins anew under another epoch; nobody is told. */
  resetLog(epoch: string): void
  /** Resolves when everything that only waits for microtasks has happened. */
  settled(): Promise<void>
}

/** Makes a {@link FakeTransport}. */
export function fakeTransport(options: FakeTransportOptions = {}): FakeTransport {
  let epoch = 'test0000'
  let log: BatchedProductUpdate[] = []
  let n = 0
  let live: { handlers: ConnectionHandlers; greeted: boolean; joined: Set<string> } | undefined
  let opened = 0
  const calls: FakeCall[] = []
  const head = () => `${epoch}.${n}`

  function answerFromLog(
    since: ReadonlyMap<string, string | null>,
    handlers: ConnectionHandlers,
  ): JoinAnswer {
    const results = new Map<string, JoinResult>()
    for (const [productId, from] of since) {
      if (from !== null && /^\w+\.\d+$/.test(from) && !from.startsWith(`${epoch}.`)) {
        handlers.onResync({ reason: 'log_reset', productIds: [productId], cursor: head(), spreadMs: 0 })
        results.set(productId, 'resync_required')
        continue
      }
      const missed = log.filter((batch) => batch.productId === productId && isAfter(batch, from))
      for (const batch of missed) handlers.onBatch({ ...batch, replay: true })
      results.set(productId, from === null ? 'joined' : missed.length > 0 ? 'events' : 'up_to_date')
    }
    return { cursor: head(), results }
  }

  function append(productId: string, batch: Partial<BatchedProductUpdate> = {}): BatchedProductUpdate {
    const previousCursor =
      log.filter((earlier) => earlier.productId === productId).at(-1)?.cursor ?? `${epoch}.0`
    n += 1
    const appended = { ...changeOf(productId), cursor: head(), previousCursor, ...batch }
    log.push(appended)
    return appended
  }

  function open(handlers: ConnectionHandlers): Connection {
    const own = { handlers, greeted: false, joined: new Set<string>() }
    live = own
    opened += 1
    if (options.greets ?? true) queueMicrotask(() => own === live && gateway.greet())
    return {
      async join(since) {
        calls.push({ type: 'join', since: Object.fromEntries(since) })
        for (const productId of since.keys()) own.joined.add(productId)
        return options.answer ? options.answer(since) : answerFromLog(since, handlers)
      },
      leave(productIds) {
        calls.push({ type: 'leave', productIds })
        for (const productId of productIds) own.joined.delete(productId)
      },
      close() {
        if (own === live) live = undefined
      },
    }
  }

  const gateway: FakeTransport = {
    name: 'fake',
    open,
    calls,
    get opened() {
      return opened
    },
    get isOpen() {
      return live?.greeted ?? false
    },
    get joined() {
      return live?.joined ?? new Set<string>()
    },
    greet(hello = {}) {
      if (!live || live.greeted) return
      live.greeted = true
      live.handlers.onOpen({ authenticated: false, serverTimeMs: Date.now(), ...hello })
    },
    deliver(productId, batch) {
      const told = append(productId, batch)
      if (live?.joined.has(productId)) live.handlers.onBatch(told)
      return told
    },
    miss: append,
    resync: (word = {}) => live?.handlers.onResync({ reason: 'gap', cursor: head(), spreadMs: 0, ...word }),
    beat: (beat = {}) => live?.handlers.onPosition({ cursor: head(), products: {}, ...beat }),
    refuse: (error) => live?.handlers.onRefusal(error),
    send: (name, payload) => live?.handlers[name](payload),
    drop(reason = {}) {
      const ended = live
      live = undefined
      ended?.handlers.onClose({ kind: 'lost', message: 'dropped by the test', ...reason })
    },
    resetLog(next) {
      epoch = next
      log = []
      n = 0
    },
    async settled() {
      for (let turn = 0; turn < 20; turn += 1) await Promise.resolve()
    },
  }
  return gateway
}

function changeOf(productId: string): Omit<BatchedProductUpdate, 'cursor' | 'previousCursor'> {
  const timestamp = new Date().toISOString()
  const event = {
    productId,
    type: 'product_update',
    data: { productId, action: 'updated' },
    timestamp,
  } as const
  return { productId, events: [event], timestamp, count: 1, spreadMs: 0 }
}

/** A cursor is exact; a time is what the log's clock said. */
function isAfter(batch: BatchedProductUpdate, from: string | null): boolean {
  if (from === null) return false
  const cursor = /^\w+\.(\d+)$/.exec(from)
  if (cursor) return Number(batch.cursor.split('.')[1]) > Number(cursor[1])
  return Date.parse(batch.timestamp) >= Date.parse(from)
}
