import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { createPublisher, type PublisherOptions, type PublisherReport } from '../publisher.js'

/** Answers the requests with the steps, in order, and remembers them. */
async function serve(...steps: ((answer: ServerResponse, request: IncomingMessage) => void)[]) {
  const requests: { headers: IncomingMessage['headers']; body: string; url: string | undefined }[] = []
  const server = createServer((request, answer) => {
    let body = ''
    request.on('data', (chunk) => {
      body += chunk
    })
    request.on('end', () => {
      requests.push({ headers: request.headers, body, url: request.url })
      const step = steps.shift() ?? accept
      step(answer, request)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { requests, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

const accept = (answer: ServerResponse) => {
  answer.writeHead(202, { 'content-type': 'application/json' })
  answer.end('{"accepted":1,"duplicates":0,"cursor":"test.1","duplicate":false}')
}

function start(url: string, options: PublisherOptions = {}) {
  const reports: PublisherReport[] = []
  const publisher = createPublisher({
    url,
    apiKey: 'key',
    retry: { minMs: 5, maxMs: 20 },
    onReport: (report) => reports.push(report),
    ...options,
  })
  return { publisher, reports }
}

test.each([
  [
    'a connection that is reset',
    (_: ServerResponse, request: IncomingMessage) => request.socket.resetAndDestroy(),
  ],
  [
    'half an answer',
    (answer: ServerResponse, request: IncomingMessage) => {
      answer.writeHead(202, { 'content-length': '500' })
      answer.write('{"accepted":1', () => request.socket.destroy())
    },
  ],
  ['no answer', () => {}],
  ['an overload', (answer: ServerResponse) => answer.writeHead(503).end()],
])('%s is followed by the same request, byte for byte', async (_, step) => {
  const { requests, url } = await serve(step)
  const { publisher, reports } = start(url, { timeoutMs: 200 })
  publisher.priceUpdate('a', { name: 'Café ☕' })
  expect(await publisher.flush()).toMatchObject({ done: true })
  const [first, second] = requests
  expect(second?.body).toBe(first?.body)
  expect(second?.headers['idempotency-key']).toBe(first?.headers['idempotency-key'])
  expect(first?.headers['idempotency-key']).toMatch(/^[0-9a-f-]{36}$/)
  expect(reports.map(({ type }) => type)).toEqual(['retrying', 'accepted'])
})

test('a redirect is not followed: it would carry the key elsewhere', async () => {
  const elsewhere = await serve()
  const { url } = await serve((answer) => answer.writeHead(307, { location: `${elsewhere.url}/` }).end())
  const { publisher } = start(url)
  publisher.priceUpdate('a', {})
  await publisher.flush()
  expect(elsewhere.requests).toEqual([])
  expect(publisher.stats()).toMatchObject({ accepted: 1, retries: 1 })
})

test('a path in the address is kept', async () => {
  const { requests, url } = await serve()
  const { publisher } = start(`${url}/rt/`)
  publisher.priceUpdate('a', {})
  await publisher.flush()
  expect(requests[0]?.url).toBe('/rt/api/notify')
})
