/**
 * What an answer means for the events of its request: settled, try again, or never. It reads and decides nothing else;
 * waiting and trying again is `delivery.ts`.
 */

export type Verdict =
  /** They are in the log. */
  | { readonly kind: 'accepted'; readonly duplicates: number; readonly cursor: string }
  /** Not now. */
  | {
      readonly kind: 'later'
      readonly message: string
      /** The gateway may have taken them in, although it did not say so. */
      readonly maybeAccepted: boolean
      /** Not before. */
      readonly afterMs?: number | undefined
    }
  /** Nothing is wrong with the events: the key or the address is, until somebody changes it. Keep them, try rarely. */
  | { readonly kind: 'misconfigured'; readonly message: string; readonly maybeAccepted: boolean }
  /** These events, by their place in the request, will never be accepted. The others would have been. */
  | { readonly kind: 'bad'; readonly problems: ReadonlyMap<number, string> }
  /** Something in the request will never be accepted, and it was not said what. */
  | { readonly kind: 'refused'; readonly message: string }

/** A time named by a server that is further off is rather a wrong clock than a wish. */
const RETRY_AFTER_MAX_MS = 3_600_000

/** Of no use to try soon: no key or a wrong one, a proxy's login, nothing or something else at this address. */
const MISCONFIGURED: readonly number[] = [401, 403, 404, 405, 407]
/** The body came too slowly; too early in a TLS handshake; too many requests. */
const LATER: readonly number[] = [408, 425, 429]

export function judge(status: number, headers: Headers, body: string): Verdict {
  const answer = parsed(body)
  const message =
    `${status} ${textOf(answer.code) ?? ''} ${textOf(answer.detail) ?? textOf(answer.title) ?? ''}`.trim()
  if (status === 202 && typeof answer.cursor === 'string') {
    return { kind: 'accepted', duplicates: Number(answer.duplicates ?? 0), cursor: answer.cursor }
  }
  if (status >= 500 || LATER.includes(status)) {
    // A 503 may come after the append, when its confirmation was late. The others come before it.
    const maybeAccepted = status >= 500
    return { kind: 'later', message, maybeAccepted, afterMs: retryAfterMs(headers.get('retry-after')) }
  }
  // A redirect, a login, a page of somebody else's server; or, behind a proxy that spoils answers, perhaps a 202.
  if (status < 400) {
    return {
      kind: 'misconfigured',
      message: `${message}: not a gateway's answer`,
      maybeAccepted: status < 300,
    }
  }
  if (MISCONFIGURED.includes(status)) return { kind: 'misconfigured', message, maybeAccepted: false }
  const problems = badEvents(answer.errors)
  return problems.size > 0 ? { kind: 'bad', problems } : { kind: 'refused', message }
}

/** `Retry-After` as the standard has it: seconds, or a date. */
export function retryAfterMs(value: string | null): number | undefined {
  if (value === null) return undefined
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now()
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), RETRY_AFTER_MAX_MS)
}

/** `[{ "path": "events[3].data", "expected": "a JSON object" }]`, by the number in the path. */
function badEvents(errors: unknown): Map<number, string> {
  const problems = new Map<number, string>()
  if (!Array.isArray(errors)) return problems
  for (const error of errors as readonly { path?: unknown; expected?: unknown }[]) {
    const [, index, field] = /^events\[(\d+)\]\.?(.*)$/.exec(String(error?.path)) ?? []
    if (index === undefined || problems.has(Number(index))) continue
    problems.set(Number(index), `${field || 'event'}: ${String(error.expected)}`)
  }
  return problems
}

function parsed(body: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(body)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)
