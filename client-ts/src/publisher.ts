/**
 * The back-end's half: tells the gateway that a price or a stock changed, without slowing or breaking the request that
 * changed it. An event that is published is accepted once in the end, or reported: see `onReport` and `stats()`.
 *
 * Events wait in memory. What must survive the end of this process belongs into a table of the shop's own database, each
 * row with its `eventId`.
 */
import { createDeliver } from './publisher/delivery.js'
import { serialise } from './publisher/event.js'
import { createMany } from './publisher/many.js'
import type { FlushResult, Publisher, PublisherOptions, PublishFailure } from './publisher/options.js'
import { createPauses } from './publisher/pauses.js'
import { createPump } from './publisher/pump.js'
import { createQueue } from './publisher/queue.js'
import { createSend } from './publisher/send.js'
import { environmentKey, notifyUrl } from './publisher/settings.js'
import { createTally } from './publisher/tally.js'

export type * from './publisher/options.js'
export type { ProductEventData, ProductEventType } from './types.js'

type OnSettled = (accepted: boolean) => void

const FLUSH_TIMEOUT_MS = 10_000

/**
 * Makes a publisher; one for each process is enough.
 *
 * Throws a `TypeError` for a `url` that is none, so that a deployment notices at its start. Nothing throws later.
 */
export function createPublisher(options: PublisherOptions = {}): Publisher {
  const queue = createQueue(options.maxQueuedEvents ?? 10_000, options.maxQueuedBytes ?? 16 * 1024 * 1024)
  const tally = createTally(options.onReport)
  const pauses = createPauses()
  const stop = new AbortController()
  let closing: Promise<FlushResult> | undefined

  const many = createMany({
    hasRoom: queue.isHalfFree,
    onBroken: (error) => refuse(undefined, 'invalid', `the list given to many() broke off: ${String(error)}`),
  })
  const pump = createPump({
    queue,
    maxInFlight: options.maxInFlight ?? 1,
    onProgress: () => many.onProgress(),
    deliver: createDeliver({
      send: createSend({
        url: notifyUrl(options.url),
        apiKey: options.apiKey ?? environmentKey(),
        timeoutMs: options.timeoutMs ?? 10_000,
        // Looked up at each call: tracing replaces the global one, sometimes late.
        fetch: options.fetch ?? ((...request) => fetch(...request)),
      }),
      pauses,
      tally,
      stop: stop.signal,
      minMs: options.retry?.minMs ?? 250,
      maxMs: options.retry?.maxMs ?? 30_000,
      giveUpAfterMs: options.giveUpAfterMs ?? 43_200_000,
      random: options.random ?? Math.random,
    }),
  })

  // === events in ===

  function publish(event: unknown, onSettled?: OnSettled): boolean {
    return closing ? refuseClosed(event, onSettled) : offer(event, onSettled)
  }

  function offer(event: unknown, onSettled?: OnSettled): boolean {
    if (stop.signal.aborted) return refuseClosed(event, onSettled)
    const serialised = serialise(event)
    if ('reason' in serialised) return refuse(event, serialised.reason, serialised.message, onSettled)
    if (!queue.offer({ ...serialised, onSettled })) {
      return refuse(event, 'queue_full', `${queue.length} events wait already`, onSettled)
    }
    tally.published()
    pump.start()
    return true
  }

  function refuse(event: unknown, reason: PublishFailure, message: string, onSettled?: OnSettled): false {
    tally.published()
    tally.unfit(event, { reason, message, maybeAccepted: false })
    onSettled?.(false)
    return false
  }

  const refuseClosed = (event: unknown, onSettled?: OnSettled): false =>
    refuse(event, 'closed', 'the publisher is closed', onSettled)

  // === the end ===

  function left(): number {
    const { published, accepted, failed } = tally.figures
    return published - accepted - failed
  }

  async function flush(timeouts?: { readonly timeoutMs?: number }): Promise<FlushResult> {
    const calm = pauses.hurry()
    let timer: unknown
    // Not unref'd: who waits for a flush wants the process to live so long.
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, timeouts?.timeoutMs ?? FLUSH_TIMEOUT_MS)
    })
    await Promise.race([pump.idle(), late])
    clearTimeout(timer as number)
    calm()
    return { done: left() === 0, left: left() }
  }

  async function flushAndStop(timeouts?: { readonly timeoutMs?: number }): Promise<FlushResult> {
    const result = await flush(timeouts)
    stop.abort()
    pauses.end()
    const message = 'the publisher was closed'
    tally.failed(queue.takeAll(), { reason: 'closed', message, maybeAccepted: false })
    many.onProgress()
    await pump.idle() // what was under way is told as well
    return result
  }

  return {
    publish: (event) => publish(event),
    productUpdate: (productId, data) => publish({ productId, type: 'product_update', data }),
    inventoryUpdate: (productId, data) => publish({ productId, type: 'inventory_update', data }),
    priceUpdate: (productId, data) => publish({ productId, type: 'price_update', data }),
    saleUpdate: (productId, data) => publish({ productId, type: 'sale_update', data }),
    many: (events) => many.take(events, closing ? refuseClosed : offer),
    flush,
    close: (timeouts) => (closing ??= flushAndStop(timeouts)),
    stats() {
      return {
        ...tally.figures,
        queued: queue.length,
        queuedBytes: queue.bytes,
        underWay: left() - queue.length,
      }
    },
  }
}
