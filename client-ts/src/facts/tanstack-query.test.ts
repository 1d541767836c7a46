/**
 * What we rely on in TanStack Query v5, pinned: an upgrade that changes one of these must be looked at, not installed.
 */

import type { QueryKey } from '@tanstack/react-query'
import { focusManager, InfiniteQueryObserver, QueryClient, QueryObserver } from '@tanstack/react-query'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { QUIET, show as showIn } from '../../test/support/shown.js'

let client: QueryClient

beforeEach(() => {
  vi.useFakeTimers()
  client = new QueryClient(QUIET)
})
afterEach(() => {
  client.clear()
  vi.useRealTimers()
})

const show = (queryKey: QueryKey, tookMs = 0, answer?: (nth: number) => unknown) =>
  showIn(client, queryKey, answer, tookMs)
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms)
const state = (queryKey: QueryKey) => client.getQueryState(queryKey)

describe('invalidateQueries', () => {
  it('takes the v4 form for a filter without fields, and so means every query', async () => {
    const fetches = [show(['product', 'a']), show(['products']), show(['session'])]
    await pass(1)
    // @ts-expect-error -- the types refuse it, plain JavaScript does not
    void client.invalidateQueries(['product', 'a'])
    await pass(1)
    expect(fetches.map(({ begun }) => begun)).toEqual([2, 2, 2])
  })

  it('fetches what is shown, and only marks what is not', async () => {
    client.setQueryData(['product', 'hidden'], 1)
    const shown = show(['product', 'shown'])
    await pass(1)
    void client.invalidateQueries({ queryKey: ['product'] })
    await pass(1)
    expect(shown.begun).toBe(2)
    expect(state(['product', 'hidden'])).toMatchObject({ isInvalidated: true, fetchStatus: 'idle' })
  })

  it("only marks with refetchType 'none', and what is marked is fetched when it is next shown", async () => {
    client.setQueryData(['product', 'a'], 1)
    void client.invalidateQueries({ queryKey: ['product', 'a'], refetchType: 'none' })
    expect(state(['product', 'a'])?.isInvalidated).toBe(true)
    const fetches = show(['product', 'a'])
    await pass(1)
    expect(fetches.begun).toBe(1)
  })

  it('called twice fetches twice (TanStack/query#7963)', async () => {
    const fetches = show(['products'], 50)
    await pass(100)
    void client.invalidateQueries({ queryKey: ['products'] })
    void client.invalidateQueries({ queryKey: ['products'] })
    await pass(100)
    expect(fetches.begun).toBe(3)
  })

  it('cancels the running fetch, so that a slow shop under a stream of changes never answers', async () => {
    const fetches = show(['products'], 300)
    await pass(400)
    for (let n = 0; n < 20; n += 1) {
      void client.invalidateQueries({ queryKey: ['products'] })
      await pass(200)
    }
    expect(fetches).toMatchObject({ begun: 21, landed: 1 })
  })

  it('joins the running fetch with cancelRefetch: false, whose success wipes out the mark', async () => {
    const fetches = show(['products'], 300)
    await pass(400)
    void client.refetchQueries({ queryKey: ['products'] })
    await pass(100)
    void client.invalidateQueries({ queryKey: ['products'] }, { cancelRefetch: false })
    expect(state(['products'])?.isInvalidated).toBe(true)
    await pass(1_000)
    expect(fetches).toMatchObject({ begun: 2, landed: 2, aborted: 0 })
    expect(state(['products'])?.isInvalidated).toBe(false)
  })

  it('during the first fetch begins no second one, and its success wipes out the mark (TanStack/query#8530)', async () => {
    const fetches = show(['product', 'a'], 300)
    await pass(100)
    void client.invalidateQueries({ queryKey: ['product', 'a'] })
    await pass(1_000)
    expect(fetches.begun).toBe(1)
    expect(state(['product', 'a'])?.isInvalidated).toBe(false)
  })

  it('does not fetch what is disabled', async () => {
    client.setQueryData(['products'], 1)
    const queryFn = vi.fn(() => 2)
    new QueryObserver(client, { queryKey: ['products'], queryFn, enabled: false }).subscribe(() => {})
    void client.invalidateQueries({ queryKey: ['products'] })
    await pass(1)
    expect(queryFn).not.toHaveBeenCalled()
  })
})

describe('the cache', () => {
  it('keeps the same object when an answer says the same, so that what was read from it stays true', async () => {
    show(['products'], 0, () => [{ id: 'p1', price: 1 }])
    await pass(1)
    const before = client.getQueryData(['products'])
    void client.invalidateQueries({ queryKey: ['products'] })
    await pass(1)
    expect(state(['products'])?.dataUpdateCount).toBe(2)
    expect(client.getQueryData(['products'])).toBe(before)
  })

  it('tells, at once and with the query no longer fetching, that a fetch landed or failed', async () => {
    const told: string[] = []
    client.getQueryCache().subscribe((event) => {
      if (event.type === 'updated') told.push(`${event.action.type} ${event.query.state.fetchStatus}`)
    })
    show(['a'])
    show(['b'], 0, () => {
      throw new Error('no')
    })
    await pass(1)
    expect(told).toEqual(['fetch fetching', 'fetch fetching', 'success idle', 'error idle'])
  })

  it('takes written data for fresh: the mark is gone and the date is new', async () => {
    client.setQueryData(['product', 'a'], 1, { updatedAt: 1 })
    void client.invalidateQueries({ queryKey: ['product', 'a'], refetchType: 'none' })
    client.setQueryData(['product', 'a'], 2)
    expect(state(['product', 'a'])).toMatchObject({ isInvalidated: false, dataUpdatedAt: Date.now() })
  })

  it('dates data by when its fetch ended', async () => {
    show(['product', 'a'], 300)
    const begun = Date.now()
    await pass(1_000)
    expect(state(['product', 'a'])?.dataUpdatedAt).toBe(begun + 300)
  })
})

describe('a page that comes to be seen', () => {
  it('joins a fetch that was begun just before', async () => {
    const fetches = show(['products'], 300)
    client.mount()
    await pass(400)
    focusManager.setFocused(false)
    void client.invalidateQueries({ queryKey: ['products'] })
    focusManager.setFocused(true)
    await pass(1_000)
    expect(fetches.begun).toBe(2)
    focusManager.setFocused(undefined)
    client.unmount()
  })
})

describe('a list that grows by pages', () => {
  it('loses the page it is loading to a refetch, unless that is told not to cancel', async () => {
    for (const [cancelRefetch, pages] of [
      [true, 1],
      [false, 2],
    ] as const) {
      const queryKey = ['products', { cancelRefetch }]
      const observer = new InfiniteQueryObserver(client, {
        queryKey,
        queryFn: ({ pageParam }) => new Promise((resolve) => setTimeout(resolve, 100, pageParam)),
        initialPageParam: 0,
        getNextPageParam: (_page, all) => all.length,
      })
      observer.subscribe(() => {})
      await pass(200)
      void observer.fetchNextPage()
      await pass(50)
      void client.invalidateQueries({ queryKey }, { cancelRefetch })
      await pass(1_000)
      expect(client.getQueryData<{ pages: unknown[] }>(queryKey)?.pages).toHaveLength(pages)
    }
  })
})
