/** A sync on the real gateway, and a shop that publishes to it. Everything ends with the test. */
import { onTestFinished } from 'vitest'
import { API_KEY, Gateway } from '../../../tests/e2e/support/gateway.js'
import { Mailbox, until } from '../../../tests/e2e/support/wait.js'
import type {
  ProductChange,
  ProductSubscriber,
  ProductSync,
  ProductSyncEvent,
  ProductSyncOptions,
} from '../../src/options.js'
import { createProductSync } from '../../src/product-sync.js'
import { socketIo } from '../../src/socket-io.js'
import { sse } from '../../src/sse.js'
import type { Transport } from '../../src/transport.js'

type Token = () => string | undefined | Promise<string | undefined>

/** Each transport, made the same way. */
export const TRANSPORTS: Readonly<Record<string, (url: string, token?: Token) => Transport>> = {
  'Socket.IO': (url, token) => socketIo(url, token ? { token } : {}),
  'long-polling': (url, token) => socketIo(url, { transports: ['polling'], ...(token ? { token } : {}) }),
  'server-sent events': (url, token) => sse(url, token ? { token } : {}),
}

/** Short waits: these tests are about what happens, not about when. */
const SOON = { firstSpreadMs: 100, minMs: 50, maxMs: 200, stableAfterMs: 100 }

/** A sync that notes what it does. */
export function startSync(transport: Transport, options: Partial<ProductSyncOptions> = {}) {
  const events: ProductSyncEvent[] = []
  const sync = createProductSync({
    transport,
    reconnect: SOON,
    lingerMs: 50,
    onEvent: (event) => events.push(event),
    ...options,
  })
  onTestFinished(() => sync.dispose())
  return {
    sync,
    events,
    /** Follows a product. What is heard of it can be awaited. */
    follow(productId: string, subscriber: ProductSubscriber = {}) {
      const heard = new Mailbox()
      const stop = sync.subscribe(productId, { ...subscriber, onChange: (change) => heard.push(change) })
      const next = (what: string, fits: (change: ProductChange) => boolean = () => true) =>
        heard.next(`${what} of ${productId}`, fits as () => boolean) as Promise<ProductChange>
      return {
        stop,
        next,
        get unread(): ProductChange[] {
          return heard.unread
        },
        /** The next change that is a batch: the prices in it. */
        async prices(): Promise<unknown[]> {
          const change = await next('a batch', ({ kind }) => kind === 'batch')
          const events = change.kind === 'batch' ? change.batch.events : []
          return events.map((event) => ('newPrice' in event.data ? event.data.newPrice : undefined))
        },
        /** The next change that is a word to refetch: its reason. */
        async word(): Promise<string | undefined> {
          const change = await next('a word to refetch', ({ kind }) => kind === 'resync')
          return change.kind === 'resync' ? change.reason : undefined
        },
      }
    },
    joined: (count: number) =>
      until(
        () => isConnected(sync) && sync.inspect().filter((room) => room.state === 'joined').length === count,
        () => `${count} joined products; ${JSON.stringify([sync.getSnapshot(), sync.inspect()])}`,
      ),
    status: (status: string) =>
      until(
        () => sync.getSnapshot().status === status,
        () => `status ${status}; ${JSON.stringify(sync.getSnapshot())}`,
      ),
  }
}

const isConnected = (sync: ProductSync) => sync.getSnapshot().status === 'connected'

/** A gateway that ends with the test. */
export async function startGateway(env: Record<string, string> = {}): Promise<Gateway> {
  const gateway = await Gateway.start({ BATCH_WINDOW_MS: '20', ...env })
  onTestFinished(() => gateway.kill())
  return gateway
}

/** Publishes a price. */
export async function publish(gateway: Gateway, productId: string, newPrice: number): Promise<void> {
  const response = await fetch(`${gateway.url}/api/notify`, {
    method: 'POST',
    headers: { 'x-api-key': API_KEY, 'content-type': 'application/json' },
    body: JSON.stringify({ productId, type: 'price_update', data: { newPrice } }),
  })
  if (response.status !== 202)
    throw new Error(`POST /api/notify: ${response.status} ${await response.text()}`)
}
