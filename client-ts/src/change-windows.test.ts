import { describe, expect, it } from 'vitest'
import { begin, gateway, list, pass, product, show, sync } from '../test/support/bound.js'

describe('a product in checkout', () => {
  it('is fetched everywhere at once, and then not again', async () => {
    const checkout = show(['checkout'], list('p1'))
    const cart = show(['cart'], list('p1'))
    const detail = show(['product', 'p1'], product('p1'))
    const products = show(['products'], list('p1'))
    sync.roles.set('checkout', ['p1'])
    await begin()
    gateway.deliver('p1')
    await pass(0)
    expect([checkout, cart, detail, products].map(({ begun }) => begun)).toEqual([2, 2, 2, 1])
    await pass(10_000)
    expect([checkout, cart, detail, products].map(({ begun }) => begun)).toEqual([2, 2, 2, 2])
  })

  it('takes along what already waited for the same product', async () => {
    const cart = show(['cart'], list('p1'))
    const detail = show(['product', 'p1'], product('p1'))
    await begin()
    gateway.deliver('p1')
    await pass(100)
    sync.roles.set('checkout', ['p1'])
    gateway.deliver('p1')
    await pass(10_000)
    expect([cart.begun, detail.begun]).toEqual([2, 2])
  })

  it('is fetched once for a word that many products must be fetched', async () => {
    const checkout = show(['checkout'], list('p1', 'p2', 'p3'), 100)
    sync.roles.set('checkout', ['p1', 'p2', 'p3'])
    await begin()
    await pass(200)
    gateway.resync({ productIds: ['p1', 'p2', 'p3'] })
    await pass(10_000)
    expect(checkout.begun).toBe(2)
  })

  it('is known by its role, whatever the shape of the data', async () => {
    const checkout = show(['checkout', 'totals'], () => 4_200)
    const cart = show(['cart'], () => 'a cart of another shape')
    sync.roles.set('checkout', ['p1'])
    sync.roles.set('cart', ['p2'])
    await begin()
    gateway.deliver('p1')
    gateway.deliver('p2')
    gateway.deliver('p3')
    await pass(5_000)
    expect([checkout.begun, cart.begun]).toEqual([2, 2])
  })
})
