// @vitest-environment happy-dom
import { useQuery } from '@tanstack/react-query'
import { describe, expect, it, vi } from 'vitest'
import {
  Card,
  client,
  gateway,
  LINGER_MS,
  page,
  pass,
  render,
  scroll,
  sync,
} from '../../test/support/page.js'
import { useCartSync, useCheckoutSync } from '../react-query.js'

describe('a product page', () => {
  it('stays subscribed wherever it is scrolled, and is the active detail product', async () => {
    const { rerender } = await render(<Card id="p1" detail />)
    expect([...gateway.joined]).toEqual(['p1'])
    expect([...sync.roles.get('detail')]).toEqual(['p1'])
    scroll('p1', true)
    scroll('p1', false)
    await pass(LINGER_MS * 2)
    expect([...gateway.joined]).toEqual(['p1'])
    rerender(page(<Card id="p2" detail />))
    await pass(LINGER_MS * 2)
    expect([...gateway.joined]).toEqual(['p2'])
    rerender(page(null))
    await pass(LINGER_MS * 2)
    expect([sync.roles.get('detail').size, gateway.joined.size]).toEqual([0, 0])
  })

  it('is still one when a second component of the same product goes away', async () => {
    const { rerender } = await render([
      <Card key="page" id="p1" detail />,
      <Card key="quick" id="p1" detail />,
    ])
    rerender(page([<Card key="page" id="p1" detail />]))
    await pass(LINGER_MS * 2)
    expect([...sync.roles.get('detail')]).toEqual(['p1'])
  })
})

describe('useCartSync', () => {
  function Cart(props: Parameters<typeof useCartSync>[0]) {
    useCartSync(props)
    return null
  }
  const cart = (...ids: string[]) => ({ lines: ids.map((productId) => ({ productId, quantity: 1 })) })
  const inCart = () => [...sync.roles.get('cart')].sort()

  it('follows what is in the cart, as it changes', async () => {
    client.setQueryData(['cart'], cart('p1'))
    const { unmount } = await render(<Cart />)
    expect([inCart(), [...gateway.joined]]).toEqual([['p1'], ['p1']])
    client.setQueryData(['cart'], cart('p1', 'p2'))
    await pass()
    expect([inCart(), [...gateway.joined]]).toEqual([
      ['p1', 'p2'],
      ['p1', 'p2'],
    ])
    client.removeQueries({ queryKey: ['cart'] })
    await pass()
    expect(inCart()).toEqual([])
    unmount()
    await pass(LINGER_MS * 2)
    expect(gateway.joined.size).toBe(0)
  })

  it('fetches nothing by itself, and keeps nothing in the cache', async () => {
    client.setQueryData(['cart'], cart('p1'))
    await render(<Cart />)
    expect(
      client
        .getQueryCache()
        .find({ queryKey: ['cart'] })
        ?.getObserversCount(),
    ).toBe(0)
  })

  it('reads a cart of any shape with the function of the shop', async () => {
    client.setQueryData(['cart'], { bags: ['p1', 'p2'] })
    await render(<Cart productIds={(data) => (data as { bags: string[] }).bags} />)
    expect(inCart()).toEqual(['p1', 'p2'])
  })

  it('takes the products of a cart that is not in the query cache', async () => {
    const { rerender } = await render(<Cart productIds={['p1']} />)
    expect(inCart()).toEqual(['p1'])
    rerender(page(<Cart productIds={['p2']} />))
    await pass()
    expect(inCart()).toEqual(['p2'])
    rerender(page(<Cart productIds={['p2']} enabled={false} />))
    await pass()
    expect(inCart()).toEqual([])
  })

  it('fetches the cart when one of its products changes, whatever is on screen', async () => {
    const fetched = vi.fn(async () => cart('p1'))
    function CartIcon() {
      useQuery({ queryKey: ['cart'], queryFn: fetched })
      useCartSync()
      return null
    }
    await render(<CartIcon />)
    gateway.deliver('p1')
    await pass(1_000)
    expect(fetched).toHaveBeenCalledTimes(2)
  })
})

describe('useCheckoutSync', () => {
  function Checkout({ productIds }: { productIds: string[] }) {
    useCheckoutSync({ productIds })
    return null
  }

  it('fetches the changes of its products at once, and no more once it is gone', async () => {
    client.setQueryData(['checkout'], 4_200)
    const state = () => client.getQueryState(['checkout'])
    const { rerender } = await render(<Checkout productIds={['p1']} />)
    gateway.deliver('p1')
    await pass(0)
    expect(state()?.isInvalidated).toBe(true)
    client.setQueryData(['checkout'], 4_300)
    rerender(page(<Card id="p1" detail />))
    await pass()
    gateway.deliver('p1')
    await pass(5_000)
    expect(state()?.isInvalidated).toBe(false)
  })

  it('takes a new array of the same products for no change', async () => {
    const { rerender } = await render(<Checkout productIds={['p1', 'p2']} />)
    const changed = vi.fn()
    sync.roles.onChange(changed)
    rerender(page(<Checkout productIds={['p2', 'p1']} />))
    await pass()
    expect(changed).not.toHaveBeenCalled()
  })
})
