// @vitest-environment happy-dom
import { useQuery } from '@tanstack/react-query'
import { screen } from '@testing-library/react'
import { destroyIntersectionMocking } from 'react-intersection-observer/test-utils'
import { describe, expect, it, vi } from 'vitest'
import {
  Card,
  client,
  followGateway,
  gateway,
  LINGER_MS,
  page,
  pass,
  render,
  renders,
  scroll,
} from '../test/support/page.js'
import { useProductWebSocket } from './react-query.js'
import { fakeTransport } from './testing.js'

describe('useProductWebSocket', () => {
  it('joins what comes into view, and leaves what went out of it after a while', async () => {
    await render([<Card key="1" id="p1" />, <Card key="2" id="p2" />])
    expect(gateway.opened).toBe(0)
    scroll('p1', true)
    await pass()
    expect([...gateway.joined]).toEqual(['p1'])
    scroll('p1', false)
    scroll('p2', true)
    await pass(LINGER_MS - 20)
    expect([...gateway.joined]).toEqual(['p1', 'p2'])
    await pass(100)
    expect([...gateway.joined]).toEqual(['p2'])
  })

  it('renders nothing when the visitor scrolls or a product changes', async () => {
    await render(<Card id="p1" />)
    const before = renders
    for (const isInView of [true, false, true]) {
      scroll('p1', isInView)
      await pass(3_000)
      gateway.deliver('p1')
      await pass(3_000)
    }
    expect(renders).toBe(before)
  })

  it('fetches what changed, for the component that shows it', async () => {
    let price = 1
    function Priced() {
      const { data } = useQuery({ queryKey: ['product', 'p1'], queryFn: async () => ({ id: 'p1', price }) })
      const { ref } = useProductWebSocket({ productId: 'p1' })
      return (
        <p ref={ref} data-testid="p1">
          {data?.price}
        </p>
      )
    }
    await render(<Priced />)
    scroll('p1', true)
    await pass()
    price = 2
    gateway.deliver('p1')
    await pass(499)
    expect(screen.getByTestId('p1').textContent).toBe('1')
    await pass(2)
    expect(screen.getByTestId('p1').textContent).toBe('2')
  })

  it('joins once under StrictMode, and leaves nothing', async () => {
    await render(<Card id="p1" detail />)
    await pass(LINGER_MS * 2)
    expect([gateway.opened, gateway.calls.map(({ type }) => type)]).toEqual([1, ['join']])
  })

  it('keeps the product while any card shows it (defect: one card leaves for all)', async () => {
    const first = <Card key="first" id="p1" />
    const second = <Card key="second" id="p1" />
    const { rerender } = await render([first, second])
    scroll('p1', true)
    await pass()
    rerender(page([second]))
    await pass(LINGER_MS * 2)
    expect([...gateway.joined]).toEqual(['p1'])
    rerender(page([]))
    await pass(LINGER_MS * 2)
    expect(gateway.joined.size).toBe(0)
  })

  it('joins what was in view before the connection was there (defect: joins only if connected)', async () => {
    followGateway(fakeTransport({ greets: false }))
    await render(<Card id="p1" />)
    scroll('p1', true)
    await pass()
    expect(gateway.joined.size).toBe(0)
    gateway.greet()
    await pass()
    expect([...gateway.joined]).toEqual(['p1'])
  })

  it('joins again after the connection was lost (defect: never rejoins)', async () => {
    await render(<Card id="p1" />)
    scroll('p1', true)
    await pass()
    gateway.drop()
    await pass(30_000)
    expect([gateway.opened, ...gateway.joined]).toEqual([2, 'p1'])
  })

  it('looks anew, without a scroll, when another product is shown', async () => {
    const { rerender } = await render(<Card id="p1" />)
    scroll('p1', true)
    await pass()
    rerender(page(<Card id="p2" />))
    await pass(LINGER_MS * 2)
    expect([...gateway.joined]).toEqual(['p2'])
  })

  it('looks anew, without a scroll, when it is switched on and off', async () => {
    const { rerender } = await render(<Card id="p1" enabled={false} />)
    scroll('p1', true)
    await pass()
    expect(gateway.joined.size).toBe(0)
    rerender(page(<Card id="p1" />))
    await pass()
    expect([...gateway.joined]).toEqual(['p1'])
    rerender(page(<Card id="p1" enabled={false} />))
    await pass(LINGER_MS * 2)
    expect(gateway.joined.size).toBe(0)
  })

  it.each([undefined, ''])('follows nothing while the product is %o, not known yet', async (id) => {
    const { rerender } = await render(<Card id={id} detail />)
    expect(gateway.opened).toBe(0)
    rerender(page(<Card id="p1" detail />))
    await pass()
    expect([...gateway.joined]).toEqual(['p1'])
  })

  it('leaves when its element goes away although the component stays', async () => {
    function Collapsing({ isOpen }: { isOpen: boolean }) {
      const { ref } = useProductWebSocket({ productId: 'p1' })
      return isOpen ? <p ref={ref} data-testid="p1" /> : null
    }
    const { rerender } = await render(<Collapsing isOpen />)
    scroll('p1', true)
    await pass()
    rerender(page(<Collapsing isOpen={false} />))
    await pass(LINGER_MS * 2)
    expect(gateway.joined.size).toBe(0)
  })

  it('watches with the threshold and the margin of the plan, unless told otherwise', async () => {
    function Wide() {
      const { ref } = useProductWebSocket({ productId: 'p2', intersectionOptions: { rootMargin: '200px' } })
      return <p ref={ref} />
    }
    await render([<Card key="1" id="p1" />, <Wide key="2" />])
    const options = vi.mocked(IntersectionObserver).mock.calls.map((call) => call[1])
    expect(options).toContainEqual(expect.objectContaining({ threshold: 0.1, rootMargin: '50px' }))
    expect(options).toContainEqual(expect.objectContaining({ threshold: 0.1, rootMargin: '200px' }))
  })

  it('takes everything for in view where nobody can tell', async () => {
    destroyIntersectionMocking()
    vi.stubGlobal('IntersectionObserver', undefined)
    function NoElement() {
      useProductWebSocket({ productId: 'p2' })
      return null
    }
    const { unmount } = await render([<Card key="1" id="p1" />, <NoElement key="2" />])
    expect([...gateway.joined].sort()).toEqual(['p1', 'p2'])
    unmount()
    await pass(LINGER_MS * 2)
    expect(gateway.joined.size).toBe(0)
  })

  it('tells the gateway how old the data on screen is', async () => {
    const fetchedAt = Date.now() - 60_000
    client.setQueryData(['products'], [{ id: 'p1' }], { updatedAt: fetchedAt })
    await render(<Card id="p1" />)
    scroll('p1', true)
    await pass()
    const [join] = gateway.calls
    const since = join?.type === 'join' ? Date.parse(join.since.p1 ?? '') : 0
    expect(since).toBeLessThanOrEqual(fetchedAt)
    expect(since).toBeGreaterThan(fetchedAt - 31_000)
  })
})
