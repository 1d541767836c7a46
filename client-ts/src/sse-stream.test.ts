import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { openStream, type StreamMessage } from './sse-stream.js'
import type { CloseReason } from './transport.js'

/** A server that answers one request as told. */
async function serve(answer: (response: ServerResponse, request: IncomingMessage) => void): Promise<string> {
  const server = createServer((request, response) => answer(response, request))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/events`
}

const STREAM = { 'content-type': 'text/event-stream; charset=utf-8' }

/** Reads a stream to its end. */
function read(url: string, token?: string) {
  const messages: StreamMessage[] = []
  return new Promise<{ messages: StreamMessage[]; reason: CloseReason }>((resolve) => {
    openStream(url, token, {
      onMessage: (message) => messages.push(message),
      onEnd: (reason) => resolve({ messages, reason }),
    })
  })
}

test('messages come whole, however the network cut them', async () => {
  const text =
    'retry: 2000\nid: a.1\n\nevent: position\nid: a.2\ndata: {"cursor":"ä.2"}\n\n:\n\ndata: no json\n\n'
  const bytes = Buffer.from(text)
  const url = await serve(async (response) => {
    response.writeHead(200, STREAM)
    for (const byte of bytes) response.write(Buffer.of(byte))
    response.end()
  })
  const { messages, reason } = await read(url)
  expect(messages).toEqual([
    { name: 'position', id: 'a.2', payload: { cursor: 'ä.2' } },
    { name: 'message', id: undefined, payload: undefined },
  ])
  expect(reason).toEqual({ kind: 'lost', message: 'the stream ended' })
})

test('the token is sent, and only then a header that a browser must ask permission for', async () => {
  const seen: (string | undefined)[] = []
  const url = await serve((response, request) => {
    seen.push(request.headers.authorization)
    response.writeHead(200, STREAM).end()
  })
  await read(url, 'a token')
  await read(url)
  expect(seen).toEqual(['Bearer a token', undefined])
})

describe('the end is told as', () => {
  test.each<[string, number, Record<string, string>, string, CloseReason]>([
    [
      'full',
      200,
      STREAM,
      'retry: 5500\n\n',
      { kind: 'refused', message: 'the gateway is full', retryAfterMs: 5_500 },
    ],
    ['a refused token', 401, {}, '{}', { kind: 'unauthorized', message: 'unauthorized' }],
    ['busy', 503, { 'retry-after': '7' }, '', { kind: 'refused', message: 'HTTP 503', retryAfterMs: 7_000 }],
    ['busy, who knows how long', 429, {}, '', { kind: 'refused', message: 'HTTP 429' }],
    ['a mistake', 400, {}, '{}', { kind: 'lost', message: 'HTTP 400' }],
    [
      'somebody else, such as the page of a hotel',
      200,
      { 'content-type': 'text/html' },
      '<html>',
      { kind: 'lost', message: 'the answer is no event stream' },
    ],
  ])('%s', async (_what, status, headers, body, reason) => {
    const url = await serve((response) => response.writeHead(status, headers).end(body))
    expect(await read(url)).toEqual({ messages: [], reason })
  })

  test('lost, when nobody listens', async () => {
    const { reason } = await read('http://127.0.0.1:9')
    expect(reason.kind).toBe('lost')
  })

  test('lost, when the connection breaks', async () => {
    const url = await serve((response) => {
      response.writeHead(200, STREAM)
      response.write('event: position\ndata: {}\n\n', () => response.destroy())
    })
    const { messages, reason } = await read(url)
    expect(messages).toHaveLength(1)
    expect(reason.kind).toBe('lost')
  })
})

test('a stream that is silent for longer than any gateway is lost', async () => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const beats: ReadableStreamDefaultController<Uint8Array>[] = []
  const body = new ReadableStream<Uint8Array>({ start: (controller) => void beats.push(controller) })
  vi.stubGlobal('fetch', async () => new Response(body, { headers: STREAM }))
  const onEnd = vi.fn()
  openStream('https://rt.shop.example', undefined, { onMessage: vi.fn(), onEnd })
  await vi.advanceTimersByTimeAsync(44_000)
  beats[0]?.enqueue(new TextEncoder().encode(':\n\n'))
  await vi.advanceTimersByTimeAsync(44_999)
  expect(onEnd).not.toHaveBeenCalled()
  await vi.advanceTimersByTimeAsync(1)
  expect(onEnd).toHaveBeenCalledExactlyOnceWith({ kind: 'lost', message: 'nothing heard for 45 s' })
})

test('a closed stream says nothing any more, and its request is gone', async () => {
  let isGone: (() => void) | undefined
  const gone = new Promise<void>((resolve) => {
    isGone = resolve
  })
  const url = await serve((response) => {
    response.on('close', () => isGone?.())
    response.writeHead(200, STREAM)
    response.write('event: position\ndata: {}\n\nevent: position\ndata: {}\n\n')
  })
  const onEnd = vi.fn()
  const messages: StreamMessage[] = []
  const close = openStream(url, undefined, {
    onEnd,
    onMessage(message) {
      messages.push(message)
      close()
    },
  })
  await gone
  close()
  expect(messages).toHaveLength(1)
  expect(onEnd).not.toHaveBeenCalled()
})
