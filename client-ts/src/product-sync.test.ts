import { describe, expect, test, vi } from 'vitest'
import { cursors, joins, listener, START, start, useFakeTime } from '../test/support/fake-sync.js'

useFakeTime()

describe('subscribing', () => {
  test('opens nothing before the first product', async () => {
    const { gateway, sync } = start()
    await gateway.settled()
    expect(gateway.opened).toBe(0)
    expect(sync.getSnapshot().status).toBe('idle')
  })

  test('joins what was wanted before the connection opened', async () => {
    const { gateway, sync } = start({}, { greets: false })
    sync.subscribe('p1')
    sync.subscribe('p2')
    await gateway.settled()
    expect(gateway.calls).toEqual([])
    gateway.greet()
    expect([...gateway.joined]).toEqual(['p1', 'p2'])
  })

  test('joins a whole grid in one message', async () => {
    const { gateway, sync } = start()
    for (let card = 0; card < 40; card += 1) sync.subscribe(`p${card}`)
    await gateway.settled()
    expect(joins(gateway)).toHaveLength(1)
    expect(gateway.joined.size).toBe(40)
  })

  test('takes numbers and texts for the same product', async () => {
    const { gateway, sync } = start()
    sync.subscribe(42)
    sync.subscribe('42')
    await gateway.settled()
    expect(joins(gateway)).toEqual([{ type: 'join', since: { 42: null } }])
  })

  test('tells each subscriber and every listener once, in order', async () => {
    const { gateway, sync } = start()
    const [card, cart, all] = [listener(), listener(), listener()]
    sync.subscribe('p1', card)
    sync.subscribe('p1', cart)
    sync.onProductChange(all.onChange)
    await gateway.settled()
    const first = gateway.deliver('p1')
    const second = gateway.deliver('p1')
    for (const { heard } of [card, cart, all]) expect(cursors(heard)).toEqual([first.cursor, second.cursor])
  })

  test('what one listener throws is reported and harms no other', async () => {
    const complaint = vi.spyOn(console, 'error').mockImplementation(() => {})
    const { gateway, sync, events } = start()
    const after = listener()
    sync.subscribe('p1', {
      onChange() {
        throw new Error('a bug of the shop')
      },
    })
    sync.subscribe('p1', after)
    await gateway.settled()
    gateway.deliver('p1')
    gateway.deliver('p1')
    expect(after.heard).toHaveLength(2)
    expect(complaint).toHaveBeenCalledTimes(2)
    expect(events.filter((event) => event.type === 'error')).toHaveLength(2)
  })

  test('who was stopped by another is told no more', async () => {
    const { gateway, sync } = start()
    const card = listener()
    sync.subscribe('p1', { onChange: () => stop() })
    const stop = sync.subscribe('p1', card)
    await gateway.settled()
    gateway.deliver('p1')
    expect(card.heard).toEqual([])
  })

  test('never sends what is no product id', async () => {
    const { gateway, sync, events } = start()
    sync.subscribe('p 1')
    sync.subscribe('x'.repeat(129))
    sync.subscribe('p1')
    await gateway.settled()
    expect([...gateway.joined]).toEqual(['p1'])
    expect(events.filter((event) => event.type === 'refused')).toHaveLength(2)
    expect(sync.inspect().map((room) => room.state)).toEqual(['refused', 'refused', 'joined'])
  })
})

describe('the snapshot', () => {
  test('is the same object until something in it changes', async () => {
    const { gateway, sync } = start()
    const told = vi.fn()
    sync.onSnapshot(told)
    const idle = sync.getSnapshot()
    for (let card = 0; card < 40; card += 1) sync.subscribe(`p${card}`)
    expect(sync.getSnapshot()).toBe(idle)
    await gateway.settled()
    expect(sync.getSnapshot()).toEqual({
      status: 'connected',
      authenticated: false,
      rooms: 40,
      attempt: 0,
      lastError: undefined,
    })
    const calls = told.mock.calls.length
    const connected = sync.getSnapshot()
    gateway.deliver('p1')
    expect(sync.getSnapshot()).toBe(connected)
    expect(told).toHaveBeenCalledTimes(calls)
  })

  test('says who is signed in, while it is', async () => {
    const { gateway, sync } = start({}, { greets: false })
    sync.subscribe('p1')
    await gateway.settled()
    gateway.greet({ authenticated: true })
    expect(sync.getSnapshot().authenticated).toBe(true)
    gateway.drop()
    expect(sync.getSnapshot().authenticated).toBe(false)
  })
})

test('lag is measured by the clock of the gateway', async () => {
  const { gateway, sync, events } = start({}, { greets: false })
  sync.subscribe('p1')
  await gateway.settled()
  gateway.greet({ serverTimeMs: START - 100_000 })
  await gateway.settled()
  gateway.deliver('p1', { timestamp: new Date(START - 100_400).toISOString() })
  expect(events.find((event) => event.type === 'batch')).toMatchObject({ lagMs: 400 })
})

test('debug prints what happens', async () => {
  const print = vi.spyOn(console, 'log').mockImplementation(() => {})
  const { gateway, sync } = start({ debug: true })
  sync.subscribe('p1', { why: 'in view' })
  sync.roles.set('detail', ['p2'])
  await gateway.settled()
  gateway.deliver('p1')
  expect(print.mock.calls.flat()).toEqual([
    '[WebSocket] Subscribing to product: p1 (in view)',
    '[WebSocket] Subscribing to product: p2 (detail page)',
    '[WebSocket] Connecting (fake, attempt 1)',
    '[WebSocket] Connected',
    '[WebSocket] Received batched update for product: p1 (1 events)',
  ])
})

test('onEvent that throws harms nothing', async () => {
  vi.spyOn(console, 'error').mockImplementation(() => {})
  const card = listener()
  const { gateway, sync } = start({
    onEvent() {
      throw new Error('a bug of the metrics')
    },
  })
  sync.subscribe('p1', card)
  await gateway.settled()
  gateway.deliver('p1')
  expect(card.heard).toHaveLength(1)
})
