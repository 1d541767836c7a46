import { describe, expect, it } from 'vitest'
import { begin, client, gateway, list, pass, product, show, state } from '../test/support/bound.js'
import type { ProductEvent } from './types.js'

function event(productId: string, data: { action: 'created' | 'deleted' }): ProductEvent {
  return { productId, type: 'product_update', data, timestamp: new Date().toISOString() }
}

describe('a list', () => {
  it("is fetched only if it contains the product (defect: ['products'] stampede)", async () => {
    const x = show(['products', 'x'], list('p1'))
    const y = show(['products', 'y'], list('p9'))
    await begin()
    gateway.deliver('p1')
    await pass(2_000)
    expect([x.begun, y.begun]).toEqual([2, 1])
  })

  it("is fetched once for all products that changed (defect: ['products'] stampede)", async () => {
    const shown = show(['products'], list('p1', 'p2', 'p3'))
    await begin()
    for (const id of ['p1', 'p2', 'p3']) {
      gateway.deliver(id)
      await pass(300)
    }
    await pass(2_000)
    expect(shown.begun).toBe(2)
  })

  it('is fetched for any change when the shop says that all lists depend on it', async () => {
    const shown = show(['products', 'cheapest'], list('p9'))
    await begin({ lists: 'all' })
    gateway.deliver('p1')
    await pass(1_000)
    expect(shown.begun).toBe(2)
  })

  it.each(['created', 'deleted'] as const)(
    'is marked as stale, and not fetched, for a product that is %s',
    async (action) => {
      const shown = show(['products', 'shown'], list('p9'))
      client.setQueryData(['products', 'kept'], list('p9')())
      client.setQueryData(['product', 'p9'], product('p9')())
      await begin()
      gateway.deliver('p1', { events: [event('p1', { action })] })
      await pass(5_000)
      expect(shown.begun).toBe(1)
      expect(state(['products', 'shown'])?.isInvalidated).toBe(true)
      expect(state(['products', 'kept'])?.isInvalidated).toBe(true)
      expect(state(['product', 'p9'])?.isInvalidated).toBe(false)
    },
  )

  it('that contains a deleted product is fetched', async () => {
    const shown = show(['products'], list('p1'))
    await begin()
    gateway.deliver('p1', { events: [event('p1', { action: 'deleted' })] })
    await pass(1_000)
    expect(shown.begun).toBe(2)
  })

  it('that is just being fetched when a product is created is marked once it is there', async () => {
    show(['products'], list('p9'), 3_000)
    await begin()
    gateway.deliver('p1', { events: [event('p1', { action: 'created' })] })
    await pass(10_000)
    expect(state(['products'])).toMatchObject({ fetchStatus: 'idle', isInvalidated: true })
  })

  it('is not marked for an ordinary change of a product that it does not contain', async () => {
    show(['products'], list('p9'))
    await begin()
    gateway.deliver('p1')
    await pass(5_000)
    expect(state(['products'])?.isInvalidated).toBe(false)
  })
})

describe('a product page', () => {
  it('is found by a slug, through the id in its data', async () => {
    const shown = show(['product', 'red-shoe'], product('p1'))
    const other = show(['product', 'blue-shoe'], product('p2'))
    await begin()
    gateway.deliver('p1')
    await pass(500)
    expect([shown.begun, other.begun]).toEqual([2, 1])
  })

  it('is found whether its id is a number or a string', async () => {
    const shown = show(['product', 42], product(42))
    await begin({}, ['42'])
    gateway.deliver('42')
    await pass(500)
    expect(shown.begun).toBe(2)
  })

  it('is fetched once when lists live under the same key', async () => {
    const keys = { detail: (id: string) => ['products', id] }
    const detail = show(['products', 'p1'], product('p1'))
    const bySlug = show(['products', 'red-shoe'], product('p1'))
    const page = show(['products', { page: 1 }], () => ({ items: list('p1')() }))
    await begin({ keys })
    gateway.deliver('p1')
    await pass(500)
    expect([detail.begun, bySlug.begun, page.begun]).toEqual([2, 2, 1])
    await pass(5_000)
    expect([detail.begun, bySlug.begun, page.begun]).toEqual([2, 2, 2])
  })

  it('lives where the shop says', async () => {
    const byId = show(['shop', { sku: 'p1', locale: 'en' }], product('p1'))
    const bySlug = show(['page', 'red-shoe'], product('p1'))
    await begin({ keys: { detail: (sku) => ['shop', { sku }], detailPages: (key) => key[0] === 'page' } })
    gateway.deliver('p1')
    await pass(500)
    expect([byId.begun, bySlug.begun]).toEqual([2, 2])
  })
})
