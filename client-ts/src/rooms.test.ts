import { describe, expect, test, vi } from 'vitest'
import { joins, listener, start, useFakeTime } from '../test/support/fake-sync.js'

useFakeTime()

describe('stopping', () => {
  test('keeps the room while any subscriber is left, then lingers, then leaves', async () => {
    const { gateway, sync } = start()
    sync.subscribe('other')
    const [stopCard, stopCart] = [sync.subscribe('p1'), sync.subscribe('p1')]
    await gateway.settled()
    stopCard()
    stopCard() // must not take the count of the other
    await vi.advanceTimersByTimeAsync(10_000)
    expect(gateway.joined.has('p1')).toBe(true)
    stopCart()
    await vi.advanceTimersByTimeAsync(1_999)
    expect(gateway.joined.has('p1')).toBe(true)
    await vi.advanceTimersByTimeAsync(1)
    expect([...gateway.joined]).toEqual(['other'])
  })

  test('lingers, so that a card that comes back joins nothing anew', async () => {
    const { gateway, sync } = start()
    const card = listener()
    sync.subscribe('p1')() // what StrictMode does
    sync.subscribe('p1', card)
    await gateway.settled()
    sync.subscribe('p2')
    await vi.advanceTimersByTimeAsync(10_000)
    gateway.deliver('p1')
    expect(gateway.calls.map((call) => call.type)).toEqual(['join', 'join'])
    expect(card.heard).toHaveLength(1)
  })

  test('closes when nothing is wanted any more, and cancels the next try', async () => {
    const { gateway, sync } = start()
    const stop = sync.subscribe('p1')
    await gateway.settled()
    gateway.drop()
    expect(sync.getSnapshot().status).toBe('waiting')
    stop()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(gateway.opened).toBe(1)
    expect(sync.getSnapshot()).toMatchObject({ status: 'idle', rooms: 0 })
  })

  test('leaves before it joins, because places are few', async () => {
    const { gateway, sync } = start({ maxRooms: 1, lingerMs: 0 })
    sync.subscribe('p1')()
    await gateway.settled()
    sync.subscribe('p2')
    await vi.advanceTimersByTimeAsync(1)
    expect(gateway.calls).toEqual([
      { type: 'join', since: { p1: null } },
      { type: 'leave', productIds: ['p1'] },
      { type: 'join', since: { p2: null } },
    ])
  })

  test('is for good after dispose', async () => {
    const { gateway, sync } = start()
    sync.subscribe('p1')
    await gateway.settled()
    sync.dispose()
    sync.dispose()
    sync.subscribe('p2')()
    sync.reconnectNow()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(gateway.opened).toBe(1)
    expect(gateway.isOpen).toBe(false)
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('roles', () => {
  test('are followed without any subscriber', async () => {
    const { gateway, sync } = start()
    sync.roles.set('cart', [1, '2'])
    sync.roles.set('checkout', ['2', '3'])
    await gateway.settled()
    expect([...gateway.joined].sort()).toEqual(['1', '2', '3'])
    sync.roles.set('cart', [])
    sync.roles.set('checkout', ['3'])
    await vi.advanceTimersByTimeAsync(2_000)
    expect([...gateway.joined]).toEqual(['3'])
    expect(sync.inspect()).toMatchObject([{ productId: '3', subscribers: 0, roles: ['checkout'] }])
  })

  test('tell of a change, and of nothing else', () => {
    const { sync } = start()
    const heard = vi.fn()
    const stop = sync.roles.onChange(heard)
    sync.roles.set('cart', ['1', '2'])
    const cart = sync.roles.get('cart')
    sync.roles.set('cart', ['2', '1', 1])
    expect(heard).toHaveBeenCalledTimes(1)
    expect(sync.roles.get('cart')).toBe(cart)
    stop()
    sync.roles.set('cart', [])
    expect(heard).toHaveBeenCalledTimes(1)
  })

  test('keep their places when there are too many products; of the others the oldest give way', async () => {
    const { gateway, sync } = start({ maxRooms: 4 })
    sync.roles.set('cart', ['cart'])
    for (const id of ['old', 'middle', 'new']) sync.subscribe(id)
    await gateway.settled()
    expect([...gateway.joined].sort()).toEqual(['cart', 'middle', 'new', 'old'])
    sync.subscribe('newest')
    sync.roles.set('detail', ['detail'])
    await gateway.settled()
    expect([...gateway.joined].sort()).toEqual(['cart', 'detail', 'new', 'newest'])
    expect(sync.inspect().filter((room) => room.state === 'wanted')).toHaveLength(2)
  })
})
