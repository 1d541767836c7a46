/**
 * The real gateway says what the fixtures say. The story is that of PROTOCOL.md: three events, while one client follows
 * `product-123`. What differs from run to run (the epoch, log times, the id of a socket) is put in its place.
 */
import { readFileSync } from 'node:fs'
import { io, type Socket } from 'socket.io-client'
import { expect, onTestFinished, test } from 'vitest'
import type { Gateway } from '../../../tests/e2e/support/gateway.js'
import { Mailbox, within } from '../../../tests/e2e/support/wait.js'
import { openStream, type StreamMessage } from '../../src/sse-stream.js'
import { startGateway } from '../support/live.js'
import { API_KEY } from '../support/stack.js'

const FOLDER = new URL('../../fixtures/', import.meta.url)
const text = (name: string) => readFileSync(new URL(`${name}.json`, FOLDER), 'utf8')
const fixture = (name: string): unknown => JSON.parse(text(name))

/** What the gateway said, with the fixture's names for what is new in every run. */
function told(said: unknown, name: string): unknown {
  const place = (key: string, value: unknown) => {
    if (typeof value !== 'string') return value
    if (/^[a-z0-9]{8}\.\d+$/.test(value)) return value.replace(/^.{8}/, 'k3f9m2qa')
    if (/\.\d{6}Z$/.test(value)) return /"\S+": "(\S+\.\d{6}Z)"/.exec(text(name))?.[1]
    return key === 'socketId' && value.length === 16 ? 'A'.repeat(16) : value
  }
  return JSON.parse(JSON.stringify(said), place)
}

/** Field by field, in the same order. */
function expectFixture(said: unknown, name: string) {
  expect(JSON.stringify(told(said, name), null, 1)).toBe(JSON.stringify(fixture(name), null, 1))
}

const EVENTS = ['connected', 'batched_product_update', 'resync_required', 'position', 'error']

async function visit(gateway: Gateway, auth: object) {
  const socket: Socket = io(gateway.url, {
    transports: ['websocket'],
    forceNew: true,
    reconnection: false,
    auth,
  })
  onTestFinished(() => void socket.disconnect())
  const boxes = new Map(EVENTS.map((name) => [name, new Mailbox()]))
  for (const [name, box] of boxes) socket.on(name, (payload: unknown) => box.push(payload))
  return {
    ask: (name: string, ...args: unknown[]): Promise<unknown> =>
      within(socket.emitWithAck(name, ...args), name),
    next: (name: string, deadlineMs?: number): Promise<unknown> =>
      (boxes.get(name) ?? new Mailbox()).next(name, undefined, deadlineMs),
  }
}

async function publish(gateway: Gateway): Promise<unknown> {
  const response = await fetch(`${gateway.url}/api/notify`, {
    method: 'POST',
    headers: { 'x-api-key': API_KEY, 'content-type': 'application/json' },
    body: text('notify-request'),
  })
  expect(response.status).toBe(202)
  return response.json()
}

test('by Socket.IO', async () => {
  const gateway = await startGateway()
  const [shopper, late, plain] = [
    await visit(gateway, { features: ['resync'] }),
    await visit(gateway, { features: ['resync'] }),
    await visit(gateway, {}),
  ]
  expectFixture(await shopper.next('connected'), 'connected')
  expectFixture(await shopper.ask('join_product', ['product-123', 'no id']), 'join-product-answer')
  expectFixture(await shopper.next('error'), 'error')

  expectFixture(await publish(gateway), 'notify-answer')
  expectFixture(await shopper.next('batched_product_update'), 'batch')

  const since = JSON.parse(text('join-products')) as Record<string, string | null>
  const { cursor } = (await late.next('connected')) as { cursor: string }
  expectFixture(await late.ask('join_products', { ...since, 'product-123': cursor }), 'join-products-answer')
  expectFixture(await late.next('batched_product_update'), 'replay')

  expectFixture(await shopper.ask('request_sync', 'product-123', 'long ago'), 'request-sync-answer')
  expectFixture(await shopper.next('resync_required'), 'resync-required')
  await plain.ask('request_sync', 'product-123', 'long ago')
  expectFixture(await plain.next('batched_product_update'), 'empty-batch')

  expectFixture(await shopper.next('position', 25_000), 'position')
  expectFixture(await shopper.ask('leave_product', 'product-123'), 'leave-product-answer')
})

test('by server-sent events', async () => {
  const gateway = await startGateway()
  function follow(query: string) {
    const messages = new Mailbox()
    const url = `${gateway.url}/api/events?products=product-123${query}`
    const close = openStream(url, undefined, {
      onMessage: (message) => messages.push(message),
      onEnd: () => {},
    })
    onTestFinished(close)
    return async (name: string): Promise<StreamMessage> => {
      const fits = (message: StreamMessage) => message.name === name
      return (await messages.next(name, fits as () => boolean, 25_000)) as StreamMessage
    }
  }

  const shopper = follow('&features=resync')
  const opening = await shopper('position')
  await publish(gateway)
  const batch = await shopper('batched_product_update')
  expectFixture(batch.payload, 'batch')
  // Not the batch's own cursor: the window of product-124 may still be open.
  expect(told({ id: batch.id }, 'batch')).toEqual({ id: expect.stringMatching(/^k3f9m2qa\.[0-3]$/) })

  const late = follow(`&features=resync&lastEventId=${opening.id}`)
  expectFixture((await late('batched_product_update')).payload, 'replay')
  const stranger = follow('&features=resync&lastEventId=long-ago')
  expectFixture((await stranger('resync_required')).payload, 'resync-required')
  const plain = follow('&lastEventId=long-ago')
  expectFixture((await plain('batched_product_update')).payload, 'empty-batch')
})
