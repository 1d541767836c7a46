/**
 * The streams of one connection. Products that join get a stream of their own, beside those that are open; when all have
 * caught up, one stream takes over from them, and only when it has are they closed. So nothing is missed on the way, and
 * one card that comes back from long ago does not make the gateway repeat all the others.
 */
import { oldestCursor } from './cursor.js'
import { fitting, plansOf, type StreamPlan } from './sse-plan.js'
import type { StreamListeners, StreamMessage } from './sse-stream.js'
import type { CloseReason, Connection, ConnectionHandlers, JoinAnswer } from './transport.js'
import type { Cursor, JoinResult } from './types.js'
import { readPosition, readResync } from './wire.js'

/** What the streams need. */
export interface StreamsParts {
  /** Requests a stream; returns a function that closes it. */
  readonly open: (plan: StreamPlan, listeners: StreamListeners) => () => void
  readonly handlers: ConnectionHandlers
  /** A stream is heard. */
  readonly onHeard: () => void
  /** The connection is of no more use. */
  readonly onEnd: (reason: CloseReason) => void
}

interface Stream {
  readonly productIds: readonly string[]
  /** Everything of its products up to here has come. `undefined`: it is still catching up. */
  covered: Cursor | undefined
  close: () => void
}

interface PendingJoin {
  readonly since: ReadonlyMap<string, string | null>
  readonly answer: (answer: JoinAnswer) => void
}

/** At most one change in so long: who scrolls joins and leaves all the time. */
const CHANGE_EVERY_MS = 300
const CATCH_UP_MS_MAX = 20_000
/** When the gateway says no time. */
const RETRY_MS = 5_000

export function createStreams(parts: StreamsParts): Connection {
  const { handlers, onHeard, onEnd } = parts
  const wanted = new Set<string>()
  const pending: PendingJoin[] = []
  let streams: Stream[] = []
  let isMerging = false
  let changedAtMs = Number.NEGATIVE_INFINITY
  let timer: ReturnType<typeof setTimeout> | undefined
  const retries = new Set<ReturnType<typeof setTimeout>>()

  function change() {
    if (timer !== undefined) return
    const waitMs = Math.max(0, changedAtMs + CHANGE_EVERY_MS - Date.now())
    timer = setTimeout(() => {
      timer = undefined
      if (pending.length > 0) catchUp(pending.splice(0))
      else merge()
    }, waitMs)
  }

  function catchUp(joins: readonly PendingJoin[]) {
    const since = new Map(joins.flatMap((join) => [...join.since]))
    const { fit, tooMany } = fitting(new Set([...wanted, ...since.keys()]))
    for (const productId of fit) wanted.add(productId)
    const results = new Map<string, JoinResult>()
    for (const productId of since.keys()) results.set(productId, 'joined')
    for (const productId of tooMany) results.set(productId, 'too_many_products')
    const plans = plansOf(new Map([...since].filter(([productId]) => wanted.has(productId))))
    const reached: Cursor[] = []
    function answer() {
      // All of them have come at least as far as the oldest.
      const cursor = oldestCursor(reached)
      for (const join of joins) join.answer(cursor === undefined ? { results } : { cursor, results })
    }
    for (const plan of plans) {
      open(plan, (cursor) => {
        reached.push(cursor)
        if (reached.length === plans.length) answer()
      })
    }
    if (plans.length === 0) answer()
  }

  /** One for all, once all have caught up and something would be different. */
  function merge() {
    const covered = streams.map((stream) => stream.covered).filter((cursor) => cursor !== undefined)
    const from = oldestCursor(covered)
    const isDue =
      streams.length > 1 || streams.some(({ productIds }) => !productIds.every((id) => wanted.has(id)))
    if (!isDue || isMerging || wanted.size === 0 || from === undefined || covered.length < streams.length)
      return
    isMerging = true
    const replaced = streams
    open({ productIds: [...wanted], from }, () => {
      isMerging = false
      for (const stream of replaced) stream.close()
      streams = streams.filter((stream) => !replaced.includes(stream))
    })
  }

  function open(plan: StreamPlan, onCaughtUp: (cursor: Cursor) => void) {
    changedAtMs = Date.now()
    const stream: Stream = { productIds: plan.productIds, covered: undefined, close: () => {} }
    streams = [...streams, stream]
    const message = `a stream has not caught up within ${CATCH_UP_MS_MAX / 1_000} s`
    const late = setTimeout(() => onEnd({ kind: 'lost', message }), CATCH_UP_MS_MAX)
    const close = parts.open(plan, {
      onEnd(reason) {
        const others = streams.filter((other) => other !== stream)
        if (reason.kind !== 'refused' || !others.some((other) => other.covered !== undefined))
          return onEnd(reason)
        // Full: those that are here are served on, so this one waits for a place, and the others are kept.
        clearTimeout(late)
        streams = others
        retries.add(setTimeout(() => open(plan, onCaughtUp), reason.retryAfterMs ?? RETRY_MS))
      },
      onMessage(message) {
        const isFirst = stream.covered === undefined && message.name === 'position'
        if (isFirst || stream.covered !== undefined) stream.covered = message.id ?? stream.covered
        onHeard()
        if (isFirst && stream.covered !== undefined) {
          clearTimeout(late)
          onCaughtUp(stream.covered)
        }
        if (streams.length > 1) change()
        pass(stream, message)
      },
    })
    stream.close = () => {
      clearTimeout(late)
      close()
    }
  }

  /** What a stream says of a position is true of its own products, so it is passed on only by one that has all of them. */
  function pass(stream: Stream, { name, id, payload }: StreamMessage) {
    const isAlone = streams.length === 1
    switch (name) {
      case 'batched_product_update':
        handlers.onBatch(payload)
        if (isAlone && id !== undefined) handlers.onPosition({ cursor: id, products: {} })
        return
      case 'resync_required': {
        const word = readResync(payload)
        handlers.onResync('value' in word ? { productIds: stream.productIds, ...word.value } : payload)
        return
      }
      case 'position':
        if (isAlone || !('value' in readPosition(payload))) handlers.onPosition(payload)
        return
      case 'error':
        handlers.onRefusal(payload)
    }
  }

  return {
    join: (since) =>
      new Promise((answer) => {
        pending.push({ since, answer })
        change()
      }),
    leave(productIds) {
      for (const productId of productIds) wanted.delete(productId)
      change()
    },
    close() {
      clearTimeout(timer)
      for (const retry of retries) clearTimeout(retry)
      for (const stream of streams.splice(0)) stream.close()
    },
  }
}
