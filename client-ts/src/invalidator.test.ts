// @vitest-environment happy-dom
import { onlineManager } from '@tanstack/react-query'
import { describe, expect, it } from 'vitest'
import { begin, client, gateway, list, pass, product, show, state, sync } from '../test/support/bound.js'
import { setSeen } from '../test/support/seen.js'

describe('a fetch that takes its time', () => {
  it('is followed by another if the change came during the first (defect: first-fetch loss)', async () => {
    let priceAtShop = 1
    const shown = show(['product', 'p2'], () => ({ id: 'p2', price: priceAtShop }), 2_000)
    await begin()
    priceAtShop = 2
    gateway.deliver('p2')
    await pass(10_000)
    expect(shown).toMatchObject({ begun: 2, landed: 2, aborted: 0 })
    expect(client.getQueryData(['product', 'p2'])).toEqual({ id: 'p2', price: 2 })
  })

  it('is followed by another if the first answer shows that it was concerned (defect: first-fetch loss)', async () => {
    const concerned = show(['products', 1], list('p1'), 2_000)
    const unconcerned = show(['products', 2], list('p9'), 2_000)
    const bySlug = show(['product', 'red-shoe'], product('p1'), 2_000)
    await begin()
    gateway.deliver('p1')
    await pass(20_000)
    expect([concerned.begun, unconcerned.begun, bySlug.begun]).toEqual([2, 1, 2])
  })

  it('always lands under a stream of changes, and the last begins after the last change (defect: starvation)', async () => {
    let stock = 0
    const shown = show(['product', 'p1'], () => ({ id: 'p1', stock }), 2_000)
    await begin()
    await pass(3_000)
    for (stock = 1; stock <= 100; stock += 1) {
      gateway.deliver('p1')
      await pass(200)
    }
    stock = 100
    await pass(10_000)
    expect(shown.aborted).toBe(0)
    expect(shown.landed).toBe(shown.begun)
    expect(shown.begun).toBeGreaterThanOrEqual(9)
    expect(shown.begun).toBeLessThanOrEqual(13)
    expect(client.getQueryData(['product', 'p1'])).toEqual({ id: 'p1', stock: 100 })
  })

  it('has at most one queued behind it', async () => {
    const shown = show(['products'], list('p1', 'p2'), 10_000)
    await begin()
    await pass(10_000)
    gateway.deliver('p1')
    await pass(1_500)
    for (let n = 0; n < 5; n += 1) {
      gateway.deliver('p2')
      await pass(1_000)
    }
    await pass(60_000)
    expect(shown).toMatchObject({ begun: 3, landed: 3 })
  })

  it('is followed by another also if it fails', async () => {
    let isDown = false
    const shown = show(
      ['product', 'p1'],
      () => {
        if (isDown) throw new Error('shop is down')
        return { id: 'p1' }
      },
      2_000,
    )
    await begin()
    await pass(3_000)
    isDown = true
    gateway.deliver('p1')
    await pass(600)
    gateway.deliver('p1')
    await pass(1_000)
    isDown = false
    await pass(10_000)
    expect(shown.begun).toBe(3)
    expect(state(['product', 'p1'])).toMatchObject({ status: 'success', isInvalidated: false })
  })

  it('that waits for the network is begun once, when the network is back', async () => {
    const shown = show(['product', 'p1'], product('p1'))
    await begin()
    client.mount()
    onlineManager.setOnline(false)
    for (let n = 0; n < 3; n += 1) {
      gateway.deliver('p1')
      await pass(1_000)
    }
    expect(state(['product', 'p1'])?.fetchStatus).toBe('paused')
    onlineManager.setOnline(true)
    await pass(5_000)
    client.unmount()
    expect(shown.begun).toBe(2)
  })

  it('is the one that counts if the shop itself begins it once the other has landed', async () => {
    const shown = show(['product', 'p1'], product('p1'), 1_000)
    await begin()
    gateway.deliver('p1')
    let isRefetched = false
    client.getQueryCache().subscribe((cacheEvent) => {
      if (cacheEvent.type !== 'updated' || cacheEvent.action.type !== 'success' || isRefetched) return
      isRefetched = true
      void client.refetchQueries({ queryKey: ['product', 'p1'] })
    })
    await pass(10_000)
    expect(shown).toMatchObject({ begun: 2, aborted: 0 })
  })
})

describe('a hidden tab', () => {
  it('only marks, and fetches when it is seen', async () => {
    const checkout = show(['checkout'], list('p1'))
    const detail = show(['product', 'p1'], product('p1'))
    const other = show(['product', 'p2'], product('p2'))
    sync.roles.set('checkout', ['p1'])
    await begin()
    setSeen(false)
    gateway.deliver('p1')
    await pass(5_000)
    expect([checkout.begun, detail.begun]).toEqual([1, 1])
    expect(state(['product', 'p1'])?.isInvalidated).toBe(true)
    setSeen(true)
    await pass(0)
    expect([checkout.begun, detail.begun, other.begun]).toEqual([2, 2, 1])
    setSeen(false)
    setSeen(true)
    await pass(5_000)
    expect([checkout.begun, detail.begun, other.begun]).toEqual([2, 2, 1])
  })

  it('does not fetch a second time what somebody else fetched meanwhile', async () => {
    const detail = show(['product', 'p1'], product('p1'))
    await begin()
    setSeen(false)
    gateway.deliver('p1')
    await pass(5_000)
    await client.refetchQueries({ queryKey: ['product', 'p1'] })
    setSeen(true)
    await pass(5_000)
    expect(detail.begun).toBe(2)
  })

  it('queues behind a fetch that was running when it was hidden', async () => {
    const detail = show(['product', 'p1'], product('p1'), 3_000)
    await begin()
    setSeen(false)
    gateway.deliver('p1')
    await pass(10_000)
    expect(detail.begun).toBe(1)
    setSeen(true)
    await pass(10_000)
    expect(detail.begun).toBe(2)
  })
})
