/**
 * One stream of server-sent events, from its request to its end. By `fetch` and not by `EventSource`, which dies for good
 * on any status but 200, sets no headers and tells no reason.
 */
import { createParser } from 'eventsource-parser'
import type { CloseReason } from './transport.js'

/** One message of a stream. */
export interface StreamMessage {
  readonly name: string
  /** What is covered once this message is known. */
  readonly id: string | undefined
  /** Its JSON; `undefined` if it is none. */
  readonly payload: unknown
}

/** How a stream reports; nothing is called after it was closed. */
export interface StreamListeners {
  readonly onMessage: (message: StreamMessage) => void
  /** It has ended. Exactly once. */
  readonly onEnd: (reason: CloseReason) => void
}

/** The gateway sends something every 15 s. Two lost beats and a slow network are no reason to go. */
const SILENCE_MS_MAX = 45_000

/** Requests a stream. Returns a function that closes it. */
export function openStream(url: string, token: string | undefined, listeners: StreamListeners): () => void {
  const abort = new AbortController()
  let timer: ReturnType<typeof setTimeout> | undefined
  let isClosed = false

  function close() {
    isClosed = true
    clearTimeout(timer)
    abort.abort()
  }

  function end(reason: CloseReason) {
    if (isClosed) return
    close()
    listeners.onEnd(reason)
  }

  function heard() {
    clearTimeout(timer)
    timer = setTimeout(
      () => end({ kind: 'lost', message: `nothing heard for ${SILENCE_MS_MAX / 1_000} s` }),
      SILENCE_MS_MAX,
    )
  }

  async function run() {
    heard()
    const response = await fetch(url, {
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      cache: 'no-store',
      credentials: 'omit',
      signal: abort.signal,
    })
    const refusal = refusalOf(response)
    if (refusal || !response.body) return end(refusal ?? { kind: 'lost', message: 'no body' })
    end(await read(response.body))
  }

  async function read(body: ReadableStream<Uint8Array>): Promise<CloseReason> {
    let retryMs: number | undefined
    let isEmpty = true
    const parser = createParser({
      onRetry: (ms) => {
        retryMs = ms
      },
      onEvent: ({ event = 'message', id, data }) => {
        isEmpty = false
        if (!isClosed) listeners.onMessage({ name: event, id, payload: parsed(data) })
      },
    })
    const decoder = new TextDecoder()
    const reader = body.getReader()
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
      if (isClosed) break
      heard()
      parser.feed(decoder.decode(chunk.value, { stream: true }))
    }
    // The way to say "full" to clients that take any other status for the end of the world.
    const isFull = isEmpty && retryMs !== undefined
    if (isFull) return { kind: 'refused', message: 'the gateway is full', retryAfterMs: retryMs ?? 0 }
    return { kind: 'lost', message: 'the stream ended' }
  }

  run().catch((error: unknown) =>
    end({ kind: 'lost', message: error instanceof Error ? error.message : String(error) }),
  )
  return close
}

/** `undefined`: it is a stream. */
function refusalOf(response: Response): CloseReason | undefined {
  const { status, headers } = response
  const message = `HTTP ${status}`
  if (status === 401) return { kind: 'unauthorized', message: 'unauthorized' }
  if (status === 429 || status === 503) {
    return { kind: 'refused', message, ...retryAfter(headers.get('retry-after')) }
  }
  if (status !== 200) return { kind: 'lost', message }
  const isStream = headers.get('content-type')?.startsWith('text/event-stream') ?? false
  return isStream ? undefined : { kind: 'lost', message: 'the answer is no event stream' }
}

/** Seconds, or a date. */
function retryAfter(header: string | null): { retryAfterMs?: number } {
  if (header === null) return {}
  const ms = /^\d+$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - Date.now()
  return Number.isNaN(ms) ? {} : { retryAfterMs: Math.max(0, ms) }
}

function parsed(data: string): unknown {
  try {
    return JSON.parse(data)
  } catch {
    return undefined
  }
}
