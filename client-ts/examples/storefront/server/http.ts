/** As much of a web framework as this shop needs: routes with names in them, JSON in and out, a cookie for the visitor. */
import { randomUUID } from 'node:crypto'
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'

const BODY_BYTES_MAX = 64 * 1024
const VISITOR_COOKIE = 'vitrine_visitor'

export interface Call {
  readonly params: Readonly<Record<string, string>>
  readonly query: URLSearchParams
  readonly header: IncomingHttpHeaders
  readonly visitor: string
  body(): Promise<unknown>
}

/** What an answer is made of: an object becomes JSON with status 200, a {@link Refusal} its own status. */
export type Handler = (call: Call) => unknown
export type Routes = Readonly<Record<string, Handler>>

/** Thrown by a handler to answer with something other than 200. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message)
  }
}

/** Answers a request by the first route that fits; says whether there was one. Routes are written `GET /api/products/:slug`. */
export function createRouter(routes: Routes, onCall: (route: string) => void) {
  const compiled = Object.entries(routes).map(([route, handler]) => ({ route, handler, ...compile(route) }))

  return async function answer(request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    const url = new URL(request.url ?? '/', 'http://shop')
    for (const { route, handler, method, pattern } of compiled) {
      const match = method === request.method ? pattern.exec(url.pathname) : null
      if (!match) continue
      onCall(route)
      const call: Call = {
        params: { ...match.groups },
        query: url.searchParams,
        header: request.headers,
        visitor: visitorOf(request, response),
        body: () => readJson(request),
      }
      try {
        sendJson(response, 200, await handler(call))
      } catch (error) {
        if (!(error instanceof Refusal)) console.error(error)
        const status = error instanceof Refusal ? error.status : 500
        sendJson(response, status, {
          message: error instanceof Refusal ? error.message : 'Something went wrong here.',
        })
      }
      return true
    }
    return false
  }
}

function compile(route: string): { method: string; pattern: RegExp } {
  const [method = 'GET', path = '/'] = route.split(' ')
  return { method, pattern: new RegExp(`^${path.replaceAll(/:(\w+)/g, '(?<$1>[^/]+)')}$`) }
}

function visitorOf(request: IncomingMessage, response: ServerResponse): string {
  const known = new RegExp(`${VISITOR_COOKIE}=([\\w-]+)`).exec(request.headers.cookie ?? '')?.[1]
  if (known) return known
  const visitor = randomUUID()
  response.setHeader('Set-Cookie', `${VISITOR_COOKIE}=${visitor}; Path=/; HttpOnly; SameSite=Lax`)
  return visitor
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  let text = ''
  for await (const chunk of request.setEncoding('utf8')) {
    text += chunk
    if (text.length > BODY_BYTES_MAX) throw new Refusal(413, 'That is too much.')
  }
  try {
    return JSON.parse(text)
  } catch {
    throw new Refusal(400, 'That is not JSON.')
  }
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' })
  response.end(JSON.stringify(body ?? {}))
}
