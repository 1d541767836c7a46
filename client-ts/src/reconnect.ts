/**
 * When there is a connection: opens one while something is wanted, waits after a loss and tries again without end. It
 * knows nothing of products, and only one connection at a time.
 *
 * ```
 * idle ── want ──► connecting ── opened ──► connected
 *                      ▲  ▲
 *        now() or timer │  │ now()
 *                 waiting  failed, paused
 *
 * connecting, connected ── lost ──► waiting, or failed if the token is refused
 * from anywhere         ── pause ─► paused,  ── want nothing ──► idle
 * ```
 */
import { backoffMs } from './backoff.js'
import type { ReconnectOptions, SocketStatus } from './options.js'
import type { CloseReason } from './transport.js'

/** What is told of the state. */
export interface KeeperState {
  readonly status: SocketStatus
  /** Waits since the last good connection. */
  readonly attempt: number
  readonly lastError: string | undefined
}

/** What a keeper needs. */
export interface KeeperParts {
  readonly options: ReconnectOptions
  readonly random: () => number
  /** Begins to open a connection. */
  readonly open: (attempt: number) => void
  /** Closes what is open or opening. */
  readonly close: (why: string) => void
  readonly onState: (state: KeeperState) => void
  readonly onWait: (delayMs: number, attempt: number) => void
}

/** See {@link keepConnected}. */
export interface Keeper {
  /** Whether anything is wanted. */
  want(isWanted: boolean): void
  /** The connection was greeted. */
  opened(): void
  /** The connection has ended, or was found to be of no use. */
  lost(reason: CloseReason): void
  /** Tries at once, unless it is connected or about to be. */
  now(): void
  /** Closes until `now()`. */
  pause(): void
}

const STABLE_AFTER_MS = 5_000
/** A try that has come to nothing by then never will: a token function that hangs, a proxy that swallows the upgrade. */
const OPEN_TIMEOUT_MS = 20_000

export function keepConnected(parts: KeeperParts): Keeper {
  const { options, random, onState } = parts
  let state: KeeperState = { status: 'idle', attempt: 0, lastError: undefined }
  let isWanted = false
  let isPaused = false
  let timer: ReturnType<typeof setTimeout> | undefined

  function enter(status: SocketStatus, more: Partial<KeeperState> = {}) {
    clearTimeout(timer)
    state = { ...state, status, ...more }
    onState(state)
  }

  function connect() {
    enter('connecting')
    timer = setTimeout(
      () => lost({ kind: 'lost', message: `no greeting within ${OPEN_TIMEOUT_MS / 1_000} s` }),
      OPEN_TIMEOUT_MS,
    )
    parts.open(state.attempt)
  }

  function isOpen() {
    return state.status === 'connecting' || state.status === 'connected'
  }

  function lost(reason: CloseReason) {
    if (!isOpen()) return
    parts.close(reason.message)
    const lastError = reason.message
    if (reason.kind === 'unauthorized') return enter('failed', { lastError })
    const attempt = state.attempt + 1
    // Who is told a time is told the same as everybody else, so the own wait comes on top.
    const delayMs = (reason.retryAfterMs ?? 0) + backoffMs(attempt, options, random)
    enter('waiting', { lastError, attempt })
    timer = setTimeout(connect, delayMs)
    parts.onWait(delayMs, attempt)
  }

  function rest(status: 'idle' | 'paused', why: string) {
    if (state.status === status) return
    if (isOpen()) parts.close(why)
    enter(status, { attempt: 0 })
  }

  return {
    lost,
    want(wanted) {
      if (wanted === isWanted) return
      isWanted = wanted
      if (!wanted) rest('idle', 'nothing is subscribed')
      else if (isPaused) enter('paused')
      else connect()
    },
    opened() {
      if (state.status !== 'connecting') return
      enter('connected', { lastError: undefined })
      // Not before: a gateway that accepts and closes at once would be tried in a loop.
      timer = setTimeout(() => enter('connected', { attempt: 0 }), options.stableAfterMs ?? STABLE_AFTER_MS)
    },
    now() {
      isPaused = false
      if (isWanted && !isOpen()) connect()
    },
    pause() {
      isPaused = true
      if (isWanted) rest('paused', 'nobody sees the page')
    },
  }
}
