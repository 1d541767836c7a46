/**
 * One try: one POST and what its answer means. Whatever goes wrong is a verdict, also in the shop's own key function;
 * it never rejects, and it is over after `timeoutMs` or when `stop` says so, even if a `fetch` ignores its signal.
 */
import { judge, type Verdict } from './answer.js'
import { later } from './timer.js'

export interface SendOptions {
  readonly url: URL
  readonly apiKey: string | (() => string | Promise<string>) | undefined
  readonly timeoutMs: number
  readonly fetch: typeof fetch
}

/** A retry is the same request: same key, same bytes. That is how the gateway knows it again. */
export interface Request {
  readonly idempotencyKey: string
  readonly body: string
}

export type Send = (request: Request, stop: AbortSignal) => Promise<Verdict>

/** With these the request has not left the machine. */
const NOT_SENT: readonly unknown[] = ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN']

export function createSend({ url, apiKey, timeoutMs, fetch }: SendOptions): Send {
  async function post({ idempotencyKey, body }: Request, signal: AbortSignal): Promise<Verdict> {
    const key = typeof apiKey === 'function' ? await apiKey() : apiKey
    const headers = new Headers({ 'content-type': 'application/json', 'idempotency-key': idempotencyKey })
    // What `fetch` throws here would print the key.
    if (key && !PRINTABLE.test(key)) return misconfigured('the API key holds characters that no header may')
    if (key) headers.set('x-api-key', key)
    // A redirect would carry the key to wherever it points.
    const answer = await fetch(url, { method: 'POST', headers, body, signal, redirect: 'manual' })
    return judge(answer.status, answer.headers, await answer.text())
  }

  return async (request, stop) => {
    const end = new AbortController()
    const ended = new Promise<never>((_, reject) => {
      end.signal.addEventListener('abort', () => reject(end.signal.reason))
    })
    const abort = (): void => end.abort(new Error('closed'))
    const cancel = later(timeoutMs, () => end.abort(new Error(`no answer within ${timeoutMs} ms`)))
    stop.addEventListener('abort', abort)
    try {
      return await Promise.race([post(request, end.signal), ended])
    } catch (error) {
      return lost(error)
    } finally {
      cancel()
      stop.removeEventListener('abort', abort)
    }
  }
}

const PRINTABLE = /^[\x21-\x7e]+$/
const misconfigured = (message: string): Verdict => ({ kind: 'misconfigured', message, maybeAccepted: false })

function lost(error: unknown): Verdict {
  const cause =
    error instanceof Error ? (error.cause as { code?: unknown; message?: unknown } | undefined) : undefined
  const details = cause?.message || cause?.code
  const message = `${error instanceof Error ? error.message : String(error)}${details ? `: ${String(details)}` : ''}`
  return { kind: 'later', message, maybeAccepted: !NOT_SENT.includes(cause?.code) }
}
