// @vitest-environment happy-dom
/**
 * What we rely on in SWR, pinned: an upgrade that changes one of these must be looked at, not installed.
 */
import { cleanup, screen } from '@testing-library/react'
import useSWRInfinite from 'swr/infinite'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { pass, shownSwr, swrPage } from '../../test/support/shown-swr.js'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  cleanup()
  vi.useRealTimers()
})

describe('mutate with a filter', () => {
  it('asks the filter for every key, as it was given, before it returns', async () => {
    const { renderPage, swr } = swrPage()
    const [text, list] = [shownSwr('/api/products'), shownSwr(['product', 'p1'])]
    renderPage([<text.Shown key="1" />, <list.Shown key="2" />])
    await pass()
    const keys: unknown[] = []
    void swr().mutate((key) => {
      keys.push(key)
      return false
    })
    expect(keys).toEqual(['/api/products', ['product', 'p1']])
    await pass()
    expect([text.asked.begun, list.asked.begun]).toEqual([1, 1])
  })

  it('does not ask it for lists of useSWRInfinite', async () => {
    const { renderPage, swr } = swrPage()
    function Infinite() {
      useSWRInfinite(
        (page) => ['products', page],
        async () => [],
      )
      return null
    }
    renderPage(<Infinite />)
    await pass()
    const keys: unknown[] = []
    void swr().mutate((key) => {
      keys.push(key)
      return false
    })
    expect(keys).toEqual([['products', 0]])
  })
})

describe('mutate without data', () => {
  it('fetches what is shown, and leaves alone what is not', async () => {
    const { renderPage, page, swr } = swrPage()
    const [shown, hidden] = [shownSwr('a'), shownSwr('b')]
    const { rerender } = renderPage([<shown.Shown key="1" />, <hidden.Shown key="2" />])
    await pass()
    rerender(page([<shown.Shown key="1" />]))
    await pass()
    void swr().mutate('a')
    void swr().mutate('b')
    await pass()
    expect([shown.asked.begun, hidden.asked.begun]).toEqual([2, 1])
  })

  it('fetches anew what is shown again, although it has data', async () => {
    const { renderPage, page } = swrPage()
    const { asked, Shown } = shownSwr('a')
    const { rerender } = renderPage(<Shown />)
    await pass()
    rerender(page(null))
    await pass()
    rerender(page(<Shown />))
    await pass(50) // it waits for a frame
    expect(asked.begun).toBe(2)
  })

  it('fetches also during the first fetch, whose answer is dropped', async () => {
    const { renderPage, swr } = swrPage()
    const { asked, Shown } = shownSwr('a', (nth) => `answer ${nth}`, 1_000)
    renderPage(<Shown />)
    await pass(500)
    void swr().mutate('a')
    await pass(700)
    expect(screen.getByTestId('shown').textContent).toBe('')
    await pass(1_000)
    expect(asked.begun).toBe(2)
    expect(screen.getByTestId('shown').textContent).toBe('"answer 2"')
  })

  it('drops every answer that comes later than the next call, so a slow shop under a stream of changes never answers', async () => {
    const { renderPage, swr } = swrPage()
    const { asked, Shown } = shownSwr('a', (nth) => nth, 2_000)
    renderPage(<Shown />)
    await pass(3_000)
    for (let n = 0; n < 10; n += 1) {
      void swr().mutate('a')
      await pass(1_000)
    }
    expect(asked.begun).toBe(11)
    expect(screen.getByTestId('shown').textContent).toBe('1')
  })

  it('settles when the fetch has landed, also if it failed', async () => {
    const { renderPage, swr } = swrPage()
    const answer = (nth: number) => {
      if (nth > 1) throw new Error('shop is down')
      return nth
    }
    const { Shown } = shownSwr('a', answer, 1_000)
    renderPage(<Shown />)
    await pass(2_000)
    const settled = vi.fn()
    swr().mutate('a').then(settled, settled)
    await pass(900)
    await pass(200)
    expect(settled).toHaveBeenCalledTimes(1)
  })
})
