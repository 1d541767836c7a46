import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { ProductSync } from './options.js'
import { adoptPageSync, configureProductSync, pageSync } from './page-sync.js'
import { createProductSync } from './product-sync.js'
import { type FakeTransport, fakeTransport } from './testing.js'
import { useProductUpdateStore } from './zustand.js'

let gateway: FakeTransport
const store = () => useProductUpdateStore.getState()
const roles = () => pageSync().roles

beforeEach(() => {
  vi.useFakeTimers()
  gateway = fakeTransport()
  configureProductSync({ transport: gateway })
})
afterEach(() => {
  store().setActiveDetailProduct(null)
  store().syncCartProducts([])
  store().clearCheckoutProducts()
  vi.useRealTimers()
})

describe('the store', () => {
  it('sets the roles of the page', () => {
    store().setActiveDetailProduct('p1')
    store().syncCartProducts(['p1', 2])
    store().setCheckoutProducts(['p3'])
    expect([...roles().get('detail')]).toEqual(['p1'])
    expect([...roles().get('cart')]).toEqual(['p1', '2'])
    expect([...roles().get('checkout')]).toEqual(['p3'])
    expect(store()).toMatchObject({ activeDetailProduct: 'p1' })
    expect([...store().cartProductIds]).toEqual(['p1', '2'])
    expect([store().isCheckoutProduct('p3'), store().isCheckoutProduct('p1')]).toEqual([true, false])
    store().clearCheckoutProducts()
    store().setActiveDetailProduct(null)
    expect([roles().get('detail').size, roles().get('checkout').size, store().activeDetailProduct]).toEqual([
      0,
      0,
      null,
    ])
  })

  it('shows what the hooks, or anybody, set there', () => {
    roles().set('checkout', [7])
    roles().set('detail', ['p1', 'p2'])
    expect(store().isCheckoutProduct(7)).toBe(true)
    expect(store().activeDetailProduct).toBe('p2')
    roles().set('checkout', [])
    roles().set('detail', [])
    expect(store().isCheckoutProduct(7)).toBe(false)
  })

  it('tells its listeners about what changed, and gives the same set while it is the same', () => {
    store().syncCartProducts(['p1'])
    const before = store().cartProductIds
    store().syncCartProducts(['p1'])
    store().setCheckoutProducts(['p2'])
    expect(store().cartProductIds).toBe(before)
  })

  it('joins what is in the cart, without anything on screen', async () => {
    store().syncCartProducts(['p1'])
    await gateway.settled()
    expect([...gateway.joined]).toEqual(['p1'])
  })
})

describe("another sync on the page, a provider's say", () => {
  let other: ProductSync
  let stop: () => void
  beforeEach(() => {
    other = createProductSync({ transport: fakeTransport() })
  })
  afterEach(() => {
    stop()
    other.dispose()
  })

  it('takes over what was set here, and the one before is left without', async () => {
    store().syncCartProducts(['p1'])
    const before = pageSync()
    stop = adoptPageSync(other)
    expect([...other.roles.get('cart')]).toEqual(['p1'])
    expect(before.roles.get('cart').size).toBe(0)
    await vi.advanceTimersByTimeAsync(5_000)
    expect(gateway.isOpen).toBe(false)
    store().syncCartProducts(['p2'])
    expect([...other.roles.get('cart')]).toEqual(['p2'])
  })

  it('keeps what it was used for itself, and is not given what others set', () => {
    const before = pageSync()
    before.roles.set('cart', ['set elsewhere'])
    other.roles.set('cart', ['own'])
    stop = adoptPageSync(other)
    expect([...store().cartProductIds]).toEqual(['own'])
    expect([...before.roles.get('cart')]).toEqual(['set elsewhere'])
  })
})
