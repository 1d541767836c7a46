import { describe, expect, it } from 'vitest'
import {
  begin,
  client,
  gateway,
  list,
  pass,
  product,
  show,
  state,
  sync,
  told,
} from '../test/support/bound.js'

describe('a patch', () => {
  const patch = {
    detail: (data: unknown, batch: { count: number }) => ({ ...(data as object), price: batch.count }),
  }

  it('is written in place of a fetch', async () => {
    const shown = show(['product', 'p1'], product('p1'))
    const products = show(['products'], list('p1'))
    await begin({ patch })
    gateway.deliver('p1', { count: 7 })
    gateway.deliver('p1', { count: 8 })
    await pass(5_000)
    expect([shown.begun, products.begun]).toEqual([1, 2])
    expect(client.getQueryData(['product', 'p1'])).toEqual({ id: 'p1', name: 'Shoe', price: 8 })
  })

  it.each([
    ['returns undefined', () => undefined, {}],
    [
      'throws',
      () => {
        throw new Error('a bug in the shop')
      },
      {},
    ],
    ['is given a replay', patch.detail, { replay: true }],
    ['is given a change without events', patch.detail, { events: [] }],
  ])('that %s leads to a fetch', async (_case, detail, batch) => {
    const shown = show(['product', 'p1'], product('p1'))
    await begin({ patch: { detail } })
    gateway.deliver('p1', batch)
    await pass(500)
    expect(shown.begun).toBe(2)
  })

  it('that throws is reported', async () => {
    show(['product', 'p1'], product('p1'))
    const error = new Error('a bug in the shop')
    await begin({
      patch: {
        detail: () => {
          throw error
        },
      },
    })
    gateway.deliver('p1')
    await pass(500)
    expect(told).toContainEqual({ type: 'error', error })
  })

  it('is not written over data that is owed a fetch', async () => {
    const shown = show(['product', 'p1'], product('p1'))
    await begin({ patch })
    shown.hide()
    void client.invalidateQueries({ queryKey: ['product', 'p1'], refetchType: 'none' })
    gateway.deliver('p1')
    await pass(500)
    expect(state(['product', 'p1'])).toMatchObject({ isInvalidated: true, data: { id: 'p1', name: 'Shoe' } })
  })

  it('is never written in checkout', async () => {
    const shown = show(['product', 'p1'], product('p1'))
    sync.roles.set('checkout', ['p1'])
    await begin({ patch })
    gateway.deliver('p1')
    await pass(0)
    expect(shown.begun).toBe(2)
    expect(client.getQueryData(['product', 'p1'])).toEqual({ id: 'p1', name: 'Shoe' })
  })
})
