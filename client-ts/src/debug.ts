/**
 * The console lines of `debug: true`. One line for what a developer looks for; the rest is for `onEvent`.
 */
import type { ProductSyncEvent } from './options.js'

/** Prints that a product is followed from here on. */
export function printWanted(productId: string, why: string | undefined): void {
  print(`Subscribing to product: ${productId}${why === undefined ? '' : ` (${why})`}`)
}

/** Prints an event, if it is worth a line. */
export function printEvent(event: ProductSyncEvent): void {
  const line = lineOf(event)
  if (line !== undefined) print(line)
}

function lineOf(event: ProductSyncEvent): string | undefined {
  switch (event.type) {
    case 'connecting':
      return `Connecting (${event.transport}, attempt ${event.attempt + 1})`
    case 'open':
      return event.authenticated ? 'Connected (signed in)' : 'Connected'
    case 'closed':
      return `Disconnected: ${event.reason}`
    case 'waiting':
      return `Reconnecting in ${event.delayMs} ms`
    case 'leave':
      return `Unsubscribing from ${named(event.productIds)}`
    case 'batch':
      return `Received batched update for product: ${event.batch.productId} (${event.batch.count} events)`
    case 'hole':
      return `Missed updates of product: ${event.productId} (from ${event.from} to ${event.to}), asking for them`
    case 'resync':
      return `Told to refetch ${named(event.productIds)}: ${event.reason}`
    case 'flush':
      return `Refreshing ${event.scope}, ${named(event.productIds)}: ${event.fetched} queries`
    case 'malformed':
      return `Cannot read ${event.name}: ${event.problem}`
    case 'refused':
      return `Refused${event.productId === undefined ? '' : ` product ${event.productId}`}: ${event.code} ${event.message}`
    default:
      return undefined
  }
}

function named(productIds: readonly string[]): string {
  return productIds.length === 1 ? `product: ${productIds[0]}` : `${productIds.length} products`
}

function print(line: string) {
  console.log(`[WebSocket] ${line}`)
}
