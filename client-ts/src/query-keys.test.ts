import { describe, expect, it } from 'vitest'
import { createKeyMatchers } from './query-keys.js'

describe('by default', () => {
  const keys = createKeyMatchers()

  it('one product lives under its id, as a string or a number', () => {
    expect(keys.isDetailOf(['product', 'p1'], 'p1')).toBe(true)
    expect(keys.isDetailOf(['product', 42, 'reviews'], '42')).toBe(true)
    expect(keys.isDetailOf(['product', 'p10'], 'p1')).toBe(false)
    expect(keys.isDetailOf(['product'], 'p1')).toBe(false)
  })

  it('product pages, lists, cart and checkout live under their words', () => {
    expect(keys.isDetailPage(['product', 'red-shoe'])).toBe(true)
    expect(keys.isList(['products', { page: 1 }])).toBe(true)
    expect(keys.isList(['product', 'p1'])).toBe(false)
    expect(keys.isCart(['cart', 'visitor-1'])).toBe(true)
    expect(keys.isCheckout(['checkout'])).toBe(true)
  })
})

describe('keys of a shop', () => {
  it('may have the id inside of an object, beside others', () => {
    const keys = createKeyMatchers({ detail: (id) => [['product', 'byId'], { input: { id } }] })
    const queryKey = [['product', 'byId'], { input: { id: 42, locale: 'en' }, type: 'query' }]
    expect(keys.isDetailOf(queryKey, '42')).toBe(true)
    expect(keys.isDetailOf(queryKey, '43')).toBe(false)
    expect(keys.isDetailPage([['product', 'byId'], { input: { slug: 'red-shoe' } }])).toBe(true)
    expect(keys.isDetailPage([['product', 'list']])).toBe(false)
  })

  it('may be made of ids that are turned into numbers', () => {
    const keys = createKeyMatchers({ detail: (id) => ['item', BigInt(id)] })
    expect(keys.isDetailOf(['item', 42n], '42')).toBe(true)
    expect(keys.isDetailPage(['item', 'red-shoe'])).toBe(true)
  })

  it('never mean every query, even if they start with the id', () => {
    const keys = createKeyMatchers({ detail: (id) => [id], list: [] })
    expect(keys.isDetailOf(['p1'], 'p1')).toBe(true)
    expect(keys.isDetailPage(['session'])).toBe(false)
    expect(keys.isList(['session'])).toBe(false)
  })

  it('may be told by a function', () => {
    const keys = createKeyMatchers({ list: ([first]) => first === 'products' || first === 'search' })
    expect([keys.isList(['search', 'shoe']), keys.isList(['session'])]).toEqual([true, false])
  })
})
