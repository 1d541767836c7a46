/**
 * What socket.io-client does by itself, and what the gateway says of it. The transport is built on these facts; when one
 * of them changes, it has to be looked at again.
 */
import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { io, type Socket } from 'socket.io-client'
import { expect, onTestFinished, test } from 'vitest'
import { hs256 } from '../../../tests/e2e/support/jwt.js'
import { Mailbox, pause, until, within } from '../../../tests/e2e/support/wait.js'
import { socketIo } from '../../src/socket-io.js'
import { joinerOf } from '../../src/socket-io-join.js'
import { readConnected } from '../../src/wire.js'
import { publish, startGateway, startSync } from '../support/live.js'

function connect(url: string, options: object = {}): Socket {
  const socket = io(url, { transports: ['websocket'], forceNew: true, reconnectionDelay: 10, ...options })
  onTestFinished(() => void socket.disconnect())
  return socket
}

const once = (socket: Socket, name: string): Promise<unknown> =>
  within(new Promise((resolve) => socket.once(name, resolve)), name)

test('a refused handshake is not tried again by the library, and says why', async () => {
  const gateway = await startGateway({ JWT_SECRET: 'a-secret-for-tests-of-32-characters-or-more' })
  const socket = connect(gateway.url, { auth: { token: hs256('another secret, at least as long') } })
  const error = (await once(socket, 'connect_error')) as Error
  expect(error.message).toBe('unauthorized')
  expect(socket.active).toBe(false)
})

test('a gateway that is not there is no refusal', async () => {
  const socket = connect('http://127.0.0.1:9', { reconnection: false })
  const error = (await once(socket, 'connect_error')) as Error
  expect(error.message).toBe('websocket error')
})

/** Upgrades to a WebSocket, and closes it before a word was said. */
async function startMute(): Promise<string> {
  const server = createServer()
  server.on('upgrade', (request, socket) => {
    const proof = `${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`
    const accept = createHash('sha1').update(proof).digest('base64')
    const head = [
      '101 Switching Protocols',
      'Upgrade: websocket',
      'Connection: Upgrade',
      `Sec-WebSocket-Accept: ${accept}`,
    ]
    socket.end(`HTTP/1.1 ${head.join('\r\n')}\r\n\r\n`)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

test('a WebSocket that is closed before the handshake is told by the engine alone', async () => {
  const url = await startMute()
  const socket = connect(url, { reconnection: false })
  const told: string[] = []
  for (const name of ['connect_error', 'disconnect']) socket.on(name, () => told.push(name))
  await within(new Promise((resolve) => socket.io.engine.on('close', resolve)), 'the close')
  await pause(50)
  expect(told).toEqual([])

  const { sync, follow, events } = startSync(socketIo(url))
  follow('p1')
  await until(() => sync.getSnapshot().attempt >= 3, 'three tries')
  expect(events.find((event) => event.type === 'closed')).toEqual({
    type: 'closed',
    reason: 'transport close',
  })
})

test('what is emitted while disconnected is kept and sent later, which is why it never is', async () => {
  const gateway = await startGateway()
  const socket = connect(gateway.url, { autoConnect: false })
  socket.emit('join_product', 'left-long-ago')
  socket.connect()
  await once(socket, 'connected')
  await pause(100)
  expect((await gateway.health()).rooms.totalRooms).toBe(1)
})

test('a greeting comes after connecting, with the time of the gateway and what it knows', async () => {
  const gateway = await startGateway()
  const hello = readConnected(await once(connect(gateway.url), 'connected'))
  expect(hello).toMatchObject({ value: { authenticated: false } })
  const { serverTime, features } = 'value' in hello ? hello.value : { serverTime: '', features: [] }
  expect(Math.abs(Date.parse(serverTime) - Date.now())).toBeLessThan(5_000)
  expect(features).toEqual(expect.arrayContaining(['join_products', 'position', 'resync']))
})

test('the words of the original protocol are enough to join, to ask and to leave', async () => {
  const gateway = await startGateway()
  async function visit() {
    const socket = connect(gateway.url)
    const batches = new Mailbox()
    socket.on('batched_product_update', (batch: unknown) => batches.push(batch))
    await once(socket, 'connected')
    return { ...joinerOf(socket, []), next: () => batches.next('a batch') as Promise<{ timestamp: string }> }
  }
  const [away, there] = [await visit(), await visit()]
  const now = new Map([['p1', null]])
  expect((await away.join(now)).results.get('p1')).toBe('joined')
  await there.join(now)
  await publish(gateway, 'p1', 1)
  const { timestamp } = await away.next()
  away.leave(['p1'])
  await publish(gateway, 'p1', 2)
  await there.next()
  await there.next()
  const missed = await away.join(new Map([['p1', timestamp]]))
  expect(missed.results.get('p1')).toBe('events')
  expect(await away.next()).toMatchObject({ events: [{ data: { newPrice: 2 } }], replay: true })
})
