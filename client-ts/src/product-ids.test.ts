import { describe, expect, it, vi } from 'vitest'
import { createProductIndex, type ProductIdOptions } from './product-ids.js'

const listed = (data: unknown, options?: ProductIdOptions) => [...createProductIndex(options)(data).listed]
const own = (data: unknown, options?: ProductIdOptions) => createProductIndex(options)(data).own

describe('the products of a list', () => {
  const p1 = { id: 'p1', name: 'Shoe' }
  const p2 = { id: 'p2', name: 'Hat' }

  it.each([
    ['an array', [p1, p2]],
    ['items', { items: [p1, p2], total: 2 }],
    ['products', { products: [p1, p2] }],
    ['data', { data: [p1, p2], meta: { page: 1 } }],
    ['lines', { lines: [p1, p2] }],
    ['results', { results: [p1, p2] }],
    ['nodes', { nodes: [p1, p2] }],
    [
      'edges',
      {
        edges: [
          { cursor: 'a', node: p1 },
          { cursor: 'b', node: p2 },
        ],
      },
    ],
    ['a GraphQL answer', { data: { products: { edges: [{ node: p1 }, { node: p2 }] } } }],
    ['pages that are arrays', { pages: [[p1], [p2]], pageParams: [0, 1] }],
    ['pages with items', { pages: [{ items: [p1] }, { items: [p2] }], pageParams: [0, 1] }],
    [
      'pages of GraphQL answers',
      { pages: [p1, p2].map((node) => ({ data: { products: { edges: [{ node }] } } })), pageParams: [0, 1] },
    ],
    ['several lists in one answer', { products: [p1], items: [p2] }],
  ])('are found in %s', (_shape, data) => {
    expect(listed(data).sort()).toEqual(['p1', 'p2'])
  })

  it('are compared as strings', () => {
    expect(listed([{ id: 42 }])).toEqual(['42'])
  })

  it('may be Mongo documents', () => {
    expect(listed([{ _id: '65a1' }])).toEqual(['65a1'])
  })

  it('are those of the lines of a cart, not the lines themselves', () => {
    expect(listed({ id: 'cart-1', items: [{ id: 'line-1', productId: 'p1', quantity: 2 }] })).toEqual(['p1'])
    expect(listed({ lines: [{ id: 'line-1', product: { id: 'p2' } }] })).toEqual(['p2'])
  })

  it('are not the category around them', () => {
    expect(
      listed({ id: 'category-7', category: { id: 'c7' }, filters: [{ id: 'f1' }], items: [p1] }),
    ).toEqual(['p1'])
  })

  it('are none in anything else', () => {
    for (const data of [
      undefined,
      null,
      7,
      'p1',
      [],
      {},
      { items: [] },
      p1,
      { data: p1 },
      { items: 'p1' },
      [null, 'p1', 3],
    ])
      expect(listed(data)).toEqual([])
  })

  it('end somewhere in data that contains itself', () => {
    const data: { data?: unknown; items: unknown[] } = { items: [p1] }
    data.data = data
    expect(listed(data)).toEqual(['p1'])
  })
})

describe('the id of one product', () => {
  it.each([
    ['alone', { id: 'p1', slug: 'red-shoe' }],
    ['under product', { product: { id: 'p1' } }],
    ['under data', { data: { id: 'p1' } }],
    ['in a GraphQL answer', { data: { product: { id: 'p1' } } }],
  ])('is found %s', (_shape, data) => {
    expect(own(data)).toBe('p1')
  })

  it('is none in a list', () => {
    expect(own([{ id: 'p1' }])).toBeUndefined()
    expect(own({ items: [{ id: 'p1' }] })).toBeUndefined()
  })
})

describe('a shop', () => {
  it('can name its own field', () => {
    expect(listed([{ id: 'row', sku: 'p1' }], { idFields: ['sku'] })).toEqual(['p1'])
    expect(own({ id: 'row', sku: 'p1' }, { idFields: ['sku'] })).toBe('p1')
  })

  it('can find the products itself', () => {
    const productIds = (data: unknown) =>
      (data as { shelves: { skus: number[] }[] }).shelves.flatMap((s) => s.skus)
    expect(listed({ shelves: [{ skus: [1, 2] }, { skus: [3] }] }, { productIds })).toEqual(['1', '2', '3'])
  })
})

it('reads the same data once', () => {
  const productIds = vi.fn(() => ['p1'])
  const index = createProductIndex({ productIds })
  const data = [{ id: 'p1' }]
  expect(index(data)).toBe(index(data))
  expect(productIds).toHaveBeenCalledTimes(1)
  index([...data])
  expect(productIds).toHaveBeenCalledTimes(2)
})
