/** The whole shop in one call: its API, its pages, the publisher, and the gateway they share. Tests and `npm start` use it. */
import { randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createPublisher } from '@shelfcast/client/publisher'
import { apiRoutes } from './api'
import { type Calls, createCalls } from './calls'
import { createCarts } from './carts'
import { createCheckout } from './checkout'
import { createGateway, type Gateway } from './gateway'
import { createRouter } from './http'
import { builtPages, vitePages } from './pages'
import { createStore, type Store } from './store'

const SALES_CHECK_MS = 1_000

export interface ShopOptions {
  /** @default any free one */
  readonly port?: number
  readonly gatewayPort: number
  /** `vite` compiles as pages ask and reloads them hot; otherwise the folder they were built into. */
  readonly pages: 'vite' | { readonly built: string }
  readonly gatewayEnv?: Readonly<Record<string, string>>
  readonly gatewayOutput?: 'inherit' | 'ignore'
}

export interface Shop {
  readonly url: string
  readonly gateway: Gateway
  readonly apiKey: string
  readonly store: Store
  readonly calls: Calls
  /** Everything as on the first day, without a word to the gateway. */
  reset(): void
  close(): Promise<void>
}

export async function startShop(options: ShopOptions): Promise<Shop> {
  const server = createServer()
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port ?? 0, '127.0.0.1', resolve)
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const apiKey = randomBytes(24).toString('hex')
  const gateway = createGateway({
    port: options.gatewayPort,
    apiKey,
    shopUrl: `${url},${url.replace('127.0.0.1', 'localhost')}`,
    ...(options.gatewayEnv && { env: options.gatewayEnv }),
    ...(options.gatewayOutput && { output: options.gatewayOutput }),
  })
  try {
    await gateway.start()
  } catch (error) {
    server.close()
    throw error
  }

  const store = createStore()
  const carts = createCarts(store)
  const calls = createCalls()
  const publisher = createPublisher({ url: gateway.url, apiKey })
  const checkout = createCheckout(store, carts)
  const routes = apiRoutes({ store, carts, checkout, calls, publisher, gatewayUrl: gateway.url })
  const api = createRouter(routes, calls.count)
  const settings = { gatewayUrl: gateway.url }
  const pages =
    options.pages === 'vite'
      ? await vitePages(server, settings)
      : await builtPages(options.pages.built, settings)
  server.on('request', async (request, response) => {
    try {
      if (!(await api(request, response))) await pages.answer(request, response)
    } catch (error) {
      console.error(`${request.method} ${request.url}:`, error)
      if (!response.headersSent) response.writeHead(500)
      response.end()
    }
  })
  const salesClock = setInterval(() => {
    for (const event of store.endSales()) publisher.publish(event)
  }, SALES_CHECK_MS)

  return {
    url,
    gateway,
    apiKey,
    store,
    calls,
    reset() {
      store.reset()
      carts.reset()
      calls.reset()
    },
    async close() {
      clearInterval(salesClock)
      await publisher.close({ timeoutMs: 1_000 })
      await pages.close()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await gateway.stop()
    },
  }
}
