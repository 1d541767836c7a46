/** The shop's API: what a visitor's page reads and does, and what the admin panel changes. */
import type { PublishEvent, Publisher } from '@shelfcast/client/publisher'
import type { Calls } from './calls'
import type { Carts } from './carts'
import type { Checkout } from './checkout'
import { Refusal, type Routes } from './http'
import { fieldsOf, orderIn, productPatch, text, wholeNumber } from './input'
import type { Store } from './store'

interface ApiParts {
  readonly store: Store
  readonly carts: Carts
  readonly checkout: Checkout
  readonly calls: Calls
  readonly publisher: Publisher
  readonly gatewayUrl: string
}

export function apiRoutes({ store, carts, checkout, calls, publisher, gatewayUrl }: ApiParts): Routes {
  /** Returns at once: the publisher sends, and tries again, in its own time. */
  function tell(events: readonly PublishEvent[]): void {
    for (const event of events) publisher.publish(event)
  }

  return {
    'GET /api/products': ({ query }) => {
      const category = query.get('category')
      return { items: store.all().filter((product) => !category || product.category === category) }
    },

    'GET /api/products/:slug': ({ params }) => {
      const product = store.bySlug(params.slug ?? '')
      if (!product) throw new Refusal(404, 'There is no such product.')
      return product
    },

    'GET /api/cart': ({ visitor }) => carts.show(visitor),

    'PUT /api/cart/:id': async ({ visitor, params, body }) => {
      const product = store.byId(params.id ?? '')
      if (!product) throw new Refusal(404, 'There is no such product.')
      carts.put(visitor, product.id, wholeNumber(fieldsOf(await body()), 'quantity', 99))
      return carts.show(visitor)
    },

    'GET /api/checkout': ({ visitor }) => carts.show(visitor),

    'POST /api/checkout': async ({ visitor, header, body }) => {
      const fields = fieldsOf(await body())
      for (const name of ['name', 'email', 'address']) text(fields, name)
      const { answer, events } = checkout.place(visitor, orderIn(fields), text(header, 'idempotency-key'))
      tell(events)
      return answer
    },

    'GET /api/admin/products': () => ({ items: store.all() }),

    // With `quiet` the gateway is not told, as when somebody edits the database: then checkout has the last word.
    'PATCH /api/admin/products/:id': async ({ params, body }) => {
      const id = params.id ?? ''
      if (!store.byId(id)) throw new Refusal(404, 'There is no such product.')
      const fields = fieldsOf(await body())
      const events = store.change(id, productPatch(fields))
      if (fields.quiet !== true) tell(events)
      return { events: events.length, product: store.byId(id) }
    },

    'POST /api/admin/sales': async ({ body }) => {
      const patch = productPatch(await body())
      const events = store.all().flatMap(({ id }) => store.change(id, patch))
      return publisher.many(events)
    },

    'GET /api/admin/figures': async () => ({
      calls: calls.read(),
      publisher: publisher.stats(),
      gateway: await readHealth(gatewayUrl),
    }),

    'POST /api/admin/reset': () => {
      store.reset()
      carts.reset()
      calls.reset()
    },
  }
}

async function readHealth(gatewayUrl: string): Promise<unknown> {
  try {
    return await (await fetch(`${gatewayUrl}/health`, { signal: AbortSignal.timeout(1_000) })).json()
  } catch {
    return null
  }
}
