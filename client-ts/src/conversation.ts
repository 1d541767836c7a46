/**
 * What is said over one connection: joins and leaves from the wish list, and what each answer and each word of the
 * gateway means for those who listen. It ends with its connection and remembers nothing: what must outlive it is in the
 * standings.
 */
import { type Asking, createAsking } from './asking.js'
import type { ProductChange, ProductSyncEvent } from './options.js'
import { heard, reached, refetched } from './positions.js'
import type { Rooms } from './rooms.js'
import type { Skew, Standing } from './since.js'
import type { Standings } from './standings.js'
import type { Connection, ConnectionHandlers, Hello } from './transport.js'
import type { BatchedProductUpdate } from './types.js'
import { type Read, readBatch, readError, readPosition, readResync } from './wire.js'

/** What a conversation needs. */
export interface ConversationParts {
  readonly connection: Connection
  readonly rooms: Rooms
  readonly standings: Standings
  readonly tell: (change: ProductChange) => void
  readonly report: (event: ProductSyncEvent) => void
  /** Wants `follow` to be called soon: there is something to ask. */
  readonly schedule: () => void
  /** The gateway does not answer: the connection is of no use. */
  readonly giveUp: (message: string) => void
}

/** One conversation. */
export interface Conversation extends Omit<ConnectionHandlers, 'onOpen' | 'onClose'> {
  /** The gateway's greeting: from here on its clock is known. */
  greet(hello: Hello): void
  /** Joins and leaves until the gateway knows the wish list. */
  follow(): void
  readonly stateOf: Asking['stateOf']
  /** Asks about one product, only to see whether anybody answers. */
  probe(): void
  /** The connection is gone. */
  end(): void
}

/** Begins a conversation. */
export function converse(parts: ConversationParts): Conversation {
  const { standings, tell, report } = parts
  let skew: Skew = { offsetMs: undefined }
  const asking = createAsking({ ...parts, skew: () => skew, refetch })

  /** Tells those who listen to refetch a product. */
  function refetch(
    productId: string,
    reason: (ProductChange & { kind: 'resync' })['reason'],
    spreadMs: number,
  ) {
    const standing = standings.of(productId)
    standing.knownFromMs ??= Date.now()
    standing.changedAtMs = Date.now()
    tell({ kind: 'resync', productId, reason, spreadMs })
  }

  function read<T>(name: string, result: Read<T>, use: (value: T) => void) {
    if ('value' in result) use(result.value)
    else report({ type: 'malformed', name, problem: result.problem })
  }

  function hear(batch: BatchedProductUpdate) {
    const { productId, cursor, spreadMs } = batch
    if (!asking.has(productId)) return // left: it was on its way
    const standing = standings.of(productId)
    const before = standing.place
    const { verdict, place } = heard(before, batch)
    standing.place = place
    standing.heardAtMs = Date.now()
    if (verdict === 'duplicate') return report({ type: 'duplicate', productId, cursor })
    if (verdict === 'hole') {
      report({ type: 'hole', productId, from: before.at ?? '', to: batch.previousCursor })
      asking.again(productId)
    } else {
      noteChange(standing, batch)
    }
    const toldMs = hostTimeOf(batch.timestamp, skew)
    const lagMs = toldMs === undefined ? undefined : Math.max(0, Date.now() - toldMs)
    report({ type: 'batch', batch, lagMs })
    tell({ kind: 'batch', productId, batch, spreadMs })
  }

  function noteChange(standing: Standing, batch: BatchedProductUpdate) {
    const changedAtMs = hostTimeOf(batch.timestamp, skew) ?? Date.now()
    standing.changedAtMs = Math.max(
      standing.changedAtMs ?? 0,
      batch.events.length === 0 ? Date.now() : changedAtMs,
    )
    if (batch.events.length === 0) standing.knownFromMs ??= Date.now()
  }

  return {
    stateOf: asking.stateOf,
    follow: asking.follow,
    probe: asking.probe,
    end: asking.end,
    greet(hello) {
      if (hello.serverTimeMs !== undefined) skew = { offsetMs: hello.serverTimeMs - Date.now() }
    },
    onBatch: (payload) => read('batched_product_update', readBatch(payload), hear),
    onResync: (payload) =>
      read('resync_required', readResync(payload), ({ reason, productIds, cursor, spreadMs }) => {
        const named = [...(productIds ?? asking.members())].filter(asking.has)
        report({ type: 'resync', productIds: named, reason, spreadMs })
        for (const productId of named) {
          const standing = standings.of(productId)
          standing.place = refetched(standing.place, cursor)
          asking.wasTold(productId)
          refetch(productId, reason, spreadMs)
        }
      }),
    onPosition: (payload) =>
      read('position', readPosition(payload), ({ cursor, products }) => {
        for (const productId of asking.members()) {
          const standing = standings.of(productId)
          standing.heardAtMs = Date.now()
          const { behind, place } = reached(standing.place, cursor, products[productId])
          if (behind) {
            const to = products[productId] ?? cursor
            report({ type: 'hole', productId, from: standing.place.at ?? '', to })
            asking.again(productId)
          }
          standing.place = place
        }
      }),
    onRefusal: (payload) =>
      read('error', readError(payload), ({ code, message, productId }) => {
        if (productId !== undefined && asking.explain(productId, message)) return
        report({ type: 'refused', code, message, productId })
      }),
  }
}

/** A time of the gateway's clock by this machine's; `undefined` if either is not known. */
function hostTimeOf(timestamp: string, skew: Skew): number | undefined {
  const ms = Date.parse(timestamp)
  return Number.isNaN(ms) || skew.offsetMs === undefined ? undefined : ms - skew.offsetMs
}
