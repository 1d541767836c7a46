/**
 * A gateway in a function, as the publisher's `fetch`: it keeps a log and knows a repeated request again, and it does
 * what a script says before it is itself again. For fake timers; the real one is asked in test/integration.
 */
import { expect } from 'vitest'

/** What happens to one request. A number is a bare status. */
export type Fate =
  | 'accept'
  | 'unreachable' // nothing listens
  | 'lost' // taken in, and the answer never arrives
  | 'silence' // not taken in, and no answer
  | number
  | { readonly status: number; readonly headers?: Record<string, string>; readonly body?: unknown }

export interface Try {
  readonly key: string
  readonly body: string
  readonly headers: Headers
  readonly atMs: number
}

export interface FakeGateway {
  readonly fetch: typeof fetch
  readonly tries: Try[]
  /** Product ids in the order of the log. */
  readonly log: string[]
  /** Fates of the next requests, in order; then every request is accepted. */
  readonly script: Fate[]
}

export function createFakeGateway(...script: Fate[]): FakeGateway {
  const tries: Try[] = []
  const log: string[] = []
  const claims = new Map<string, { body: string; answer: object }>()

  async function respond(_url: unknown, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers)
    const [key, body] = [String(headers.get('idempotency-key')), String(init.body)]
    tries.push({ key, body, headers, atMs: Date.now() })
    const fate = script.shift() ?? 'accept'
    if (fate === 'unreachable') throw failure('ECONNREFUSED')
    if (fate === 'silence') return never(init.signal)
    if (fate === 'accept') return accept(key, body)
    if (fate === 'lost') {
      accept(key, body)
      throw failure('ECONNRESET')
    }
    const {
      status,
      headers: extra = {},
      body: problem = {},
    } = typeof fate === 'number' ? { status: fate } : fate
    return new Response(JSON.stringify(problem), { status, headers: extra })
  }

  function accept(key: string, body: string): Response {
    const claim = claims.get(key)
    if (claim) {
      expect(body, 'a retry has the very same bytes').toBe(claim.body)
      return Response.json({ ...claim.answer, duplicate: true }, { status: 202 })
    }
    const { events } = JSON.parse(body) as { events: { productId: string }[] }
    log.push(...events.map(({ productId }) => productId))
    const answer = { accepted: events.length, duplicates: 0, cursor: `fake.${log.length}`, duplicate: false }
    claims.set(key, { body, answer })
    return Response.json(answer, { status: 202 })
  }

  return { fetch: respond as typeof fetch, tries, log, script }
}

function failure(code: string): Error {
  return new TypeError('fetch failed', { cause: Object.assign(new Error(code), { code }) })
}

function never(signal: AbortSignal | null | undefined): Promise<Response> {
  return new Promise((_, reject) => {
    signal?.addEventListener('abort', () => reject(signal.reason))
  })
}
