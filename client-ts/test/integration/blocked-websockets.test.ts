/** Behind a proxy that lets no WebSocket through, as some companies have: HTTP passes, upgrades are cut. */
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import type { Gateway } from '../../../tests/e2e/support/gateway.js'
import { until } from '../../../tests/e2e/support/wait.js'
import { socketIo } from '../../src/socket-io.js'
import { sse } from '../../src/sse.js'
import { publish, startGateway, startSync } from '../support/live.js'

async function startOldProxy(gateway: Gateway): Promise<string> {
  const server = createServer((incoming, answer) => {
    const { url, method, headers } = incoming
    const onward = request(`${gateway.url}${url}`, { method, headers }, (from) => {
      answer.writeHead(from.statusCode ?? 502, from.headers)
      from.pipe(answer)
    })
    onward.on('error', () => answer.destroy())
    answer.on('close', () => onward.destroy())
    incoming.pipe(onward)
  })
  server.on('upgrade', (_request, socket) => socket.destroy())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

test.each([
  [
    'Socket.IO that may fall back to long-polling',
    (url: string) => socketIo(url, { transports: ['websocket', 'polling'] }),
  ],
  [
    'Socket.IO that begins with long-polling',
    (url: string) => socketIo(url, { transports: ['polling', 'websocket'] }),
  ],
  ['server-sent events', (url: string) => sse(url)],
])('%s gets through', async (_name, transportTo) => {
  const gateway = await startGateway()
  const { follow, joined } = startSync(transportTo(await startOldProxy(gateway)))
  const card = follow('p1')
  await joined(1)
  await publish(gateway, 'p1', 8)
  expect(await card.prices()).toEqual([8])
})

test('Socket.IO by WebSocket alone does not, and goes on trying', async () => {
  const gateway = await startGateway()
  const { sync, follow } = startSync(socketIo(await startOldProxy(gateway)))
  follow('p1')
  await until(() => sync.getSnapshot().attempt >= 3, 'three tries')
  expect(sync.getSnapshot().lastError).toBe('websocket error')
})
