/**
 * The sync against the real gateway, by each transport: what was wrong with the obvious hook, one test for each.
 */
import { describe, expect, onTestFinished, test } from 'vitest'
import { ChaosProxy } from '../../../tests/e2e/chaos/proxy.js'
import { RedisServer } from '../../../tests/e2e/chaos/redis.js'
import { freePort, Gateway } from '../../../tests/e2e/support/gateway.js'
import { hs256, inSecs } from '../../../tests/e2e/support/jwt.js'
import { until } from '../../../tests/e2e/support/wait.js'
import { publish, startGateway, startSync, TRANSPORTS } from '../support/live.js'

const SECRET = 'a-secret-for-tests-of-32-characters-or-more'

async function startProxy(port: number): Promise<ChaosProxy> {
  const proxy = await ChaosProxy.start({ port })
  onTestFinished(() => proxy.close())
  return proxy
}

async function startRedis(): Promise<RedisServer> {
  const redis = await RedisServer.start()
  onTestFinished(() => redis.remove())
  return redis
}

describe.each(Object.entries(TRANSPORTS))('by %s', (_name, transportTo) => {
  test('a product subscribed before the gateway exists is joined when it does', async () => {
    const port = await freePort()
    const gateway = new Gateway(port, { BATCH_WINDOW_MS: '20' })
    onTestFinished(() => gateway.kill())
    const { sync, follow, joined } = startSync(transportTo(gateway.url))
    const card = follow('p1')
    await until(() => sync.getSnapshot().attempt >= 2, 'two tries in vain')
    await gateway.start()
    await joined(1)
    await publish(gateway, 'p1', 7)
    expect(await card.prices()).toEqual([7])
  })

  test('a gateway that is killed and starts anew says that its history is another one, once', async () => {
    const gateway = await startGateway()
    const { follow, joined, status } = startSync(transportTo(gateway.url))
    const [p1, p2] = [follow('p1'), follow('p2')]
    await joined(2)
    await publish(gateway, 'p1', 1)
    expect(await p1.prices()).toEqual([1])
    await gateway.kill()
    await status('waiting')
    await gateway.start()
    expect([await p1.word(), await p2.word()]).toEqual(['log_reset', 'log_reset'])
    await joined(2)
    await publish(gateway, 'p1', 2)
    expect(await p1.prices()).toEqual([2])
    expect([...p1.unread, ...p2.unread]).toEqual([])
  })

  test('what happened while the network was gone is delivered', async () => {
    const gateway = await startGateway()
    const proxy = await startProxy(gateway.port)
    const { follow, joined, status } = startSync(transportTo(`http://127.0.0.1:${proxy.port}`))
    const [changed, quiet] = [follow('p1'), follow('p2')]
    await joined(2)
    await publish(gateway, 'p1', 1)
    expect(await changed.prices()).toEqual([1])
    await proxy.refuse()
    proxy.resetAll()
    await status('waiting')
    await publish(gateway, 'p1', 2)
    await publish(gateway, 'p1', 3)
    await proxy.accept()
    expect(await changed.prices()).toEqual([2, 3])
    await joined(2)
    expect([...changed.unread, ...quiet.unread]).toEqual([])
  })

  test('two components with one product are one room, until the second has stopped', async () => {
    const gateway = await startGateway()
    const { follow, joined } = startSync(transportTo(gateway.url))
    follow('other')
    const [card, cart] = [follow('p1'), follow('p1')]
    await joined(2)
    const rooms = async () => (await gateway.health()).rooms
    await until(async () => (await rooms()).totalSubscribers === 1, 'one subscriber')
    expect(await rooms()).toEqual({ totalRooms: 2, totalSubscribers: 1 })
    card.stop()
    await publish(gateway, 'p1', 5)
    expect(await cart.prices()).toEqual([5])
    expect(await rooms()).toEqual({ totalRooms: 2, totalSubscribers: 1 })
    cart.stop()
    await until(async () => (await rooms()).totalRooms === 1, 'the room to be left')
    expect(card.unread).toEqual([])
  })

  test('a pod that drains hands over to the next, and nothing is missed', async () => {
    const redis = await startRedis()
    const [old, next] = [
      await startGateway({ REDIS_URL: redis.url }),
      await startGateway({ REDIS_URL: redis.url }),
    ]
    const proxy = await startProxy(old.port)
    const { follow, joined, events } = startSync(transportTo(`http://127.0.0.1:${proxy.port}`))
    const card = follow('p1')
    await joined(1)
    await publish(old, 'p1', 1)
    expect(await card.prices()).toEqual([1])
    proxy.retarget({ port: next.port })
    await old.stop()
    await publish(next, 'p1', 2)
    expect(await card.prices()).toEqual([2])
    expect(events.filter((event) => event.type === 'open')).toHaveLength(2)
    expect(events.filter((event) => event.type === 'resync')).toEqual([])
    expect(card.unread).toEqual([])
  })

  test('a gateway on Redis that is killed and starts anew delivers what was missed', async () => {
    const redis = await startRedis()
    const gateway = await startGateway({ REDIS_URL: redis.url })
    const other = await startGateway({ REDIS_URL: redis.url })
    const { follow, joined, status } = startSync(transportTo(gateway.url))
    const card = follow('p1')
    await joined(1)
    await gateway.kill()
    await status('waiting')
    await publish(other, 'p1', 2)
    await gateway.start()
    expect(await card.prices()).toEqual([2])
    expect(card.unread).toEqual([])
  })

  test('a token that expires is replaced, and nothing is missed meanwhile', async () => {
    const gateway = await startGateway({ JWT_SECRET: SECRET, REQUIRE_AUTH: 'true' })
    let asked = 0
    const token = async () => {
      asked += 1
      return hs256(SECRET, { exp: inSecs(asked === 1 ? 2 : 600) })
    }
    const { sync, events, follow, joined } = startSync(transportTo(gateway.url, token))
    const card = follow('p1')
    await joined(1)
    expect(sync.getSnapshot().authenticated).toBe(true)
    await until(() => events.some((event) => event.type === 'closed'), 'the token to expire')
    await publish(gateway, 'p1', 3)
    expect(await card.prices()).toEqual([3])
    await joined(1)
    expect(asked).toBe(2)
    expect(events.some((event) => event.type === 'resync')).toBe(false)
  })

  test('a token that is refused is a failure until somebody signs in', async () => {
    const gateway = await startGateway({ JWT_SECRET: SECRET })
    let token = hs256('another secret, at least as long as that')
    const { sync, follow, joined, status } = startSync(transportTo(gateway.url, () => token))
    const card = follow('p1')
    await status('failed')
    expect(sync.getSnapshot().lastError).toBe('unauthorized')
    token = hs256(SECRET)
    sync.reconnectNow()
    await joined(1)
    await publish(gateway, 'p1', 4)
    expect(await card.prices()).toEqual([4])
  })

  test('a component whose data is older than what was told is told, and no other product is touched', async () => {
    const gateway = await startGateway()
    const { follow, joined } = startSync(transportTo(gateway.url))
    const [shown, quiet] = [follow('p1'), follow('p2')]
    await joined(2)
    await publish(gateway, 'p1', 1)
    expect(await shown.prices()).toEqual([1])
    const behind = follow('p1', { since: () => Date.now() - 1 })
    // The event, or the word to refetch: the gateway is younger than the time it is asked about.
    expect(await behind.next('anything')).toBeTruthy()
    await joined(2)
    expect(quiet.unread).toEqual([])
  })

  test('of more products than a connection may have, the newest are joined', async () => {
    const gateway = await startGateway()
    const { sync, follow, joined, events } = startSync(transportTo(gateway.url))
    for (let i = 0; i < 205; i += 1) follow(`p${i}`)
    await joined(200)
    expect(events.filter((event) => event.type === 'refused')).toEqual([])
    const wanted = sync.inspect().filter((room) => room.state === 'wanted')
    expect(wanted.map((room) => room.productId)).toEqual(['p0', 'p1', 'p2', 'p3', 'p4'])
  })

  test('a full gateway is tried again until there is a place', async () => {
    const gateway = await startGateway({ MAX_CONNECTIONS: '1' })
    const [first, second] = [startSync(transportTo(gateway.url)), startSync(transportTo(gateway.url))]
    first.follow('p1')
    await first.joined(1)
    const card = second.follow('p1')
    await second.status('waiting')
    expect(first.sync.getSnapshot().status).toBe('connected')
    first.sync.dispose()
    await second.joined(1)
    await publish(gateway, 'p1', 6)
    expect(await card.prices()).toEqual([6])
  })

  test('one product that may not be named is refused, and the others are joined', async () => {
    const gateway = await startGateway()
    const { sync, follow, joined } = startSync(transportTo(gateway.url))
    for (const productId of ['p1', 'a b', 'x'.repeat(20_000), 'p2']) follow(productId)
    await joined(2)
    expect(sync.inspect().map((room) => room.state)).toEqual(['joined', 'refused', 'refused', 'joined'])
  })
})
