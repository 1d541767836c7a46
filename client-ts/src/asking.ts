/**
 * The questions of one connection: which products were joined, asked about or refused. It asks for what the wish list
 * has and the gateway has not, one message for all that came up in the same moment, and judges the answers.
 */
import type { InspectedRoom, ProductSyncEvent } from './options.js'
import { answered, asked, lost } from './positions.js'
import { type Question, questionOf } from './question.js'
import type { Rooms } from './rooms.js'
import type { Skew } from './since.js'
import type { Standings } from './standings.js'
import type { Connection, JoinAnswer } from './transport.js'
import type { JoinResult } from './types.js'
import { isProductId } from './wire.js'

/** What asking needs. */
export interface AskingParts {
  readonly connection: Connection
  readonly rooms: Rooms
  readonly standings: Standings
  readonly skew: () => Skew
  readonly report: (event: ProductSyncEvent) => void
  readonly schedule: () => void
  readonly giveUp: (message: string) => void
  readonly refetch: (productId: string, reason: 'gap' | 'unanswered', spreadMs: number) => void
}

/** See {@link createAsking}. */
export interface Asking {
  /** Whether the gateway was asked for it, and did not refuse. */
  has(productId: string): boolean
  members(): Iterable<string>
  stateOf(productId: string): InspectedRoom['state'] | undefined
  follow(): void
  /** Something of a joined product is missing: ask from where it stands. */
  again(productId: string): void
  /** A word to refetch came for it, so the answer that says the same is no second one. */
  wasTold(productId: string): void
  /** Why it will be refused. `false`: nothing was asked about it. */
  explain(productId: string, message: string): boolean
  probe(): void
  end(): void
}

interface Member {
  state: 'joining' | 'joined' | 'refused'
  /** Names the last question; an answer to an earlier one is not for it. */
  question: number
  again: boolean
  wasTold: boolean
  refusal: string
}

const NEW: Member = { state: 'joining', question: 0, again: false, wasTold: false, refusal: '' }

const RETRY_MS = 1_000
const RETRY_MS_MAX = 30_000

export function createAsking(parts: AskingParts): Asking {
  const { connection, rooms, standings, skew, report, schedule, giveUp, refetch } = parts
  const members = new Map<string, Member>()
  const tooFast = new Set<string>()
  let questions = 0
  let retries = 0
  let retryTimer: ReturnType<typeof setTimeout> | undefined
  let hasEnded = false

  const has = (productId: string) => {
    const member = members.get(productId)
    return member !== undefined && member.state !== 'refused'
  }

  function follow() {
    const chosen = rooms.chosen()
    leaveAllBut(chosen)
    const question = new Map<string, Question>()
    for (const productId of chosen) {
      const what = toAsk(productId)
      if (what) question.set(productId, what)
    }
    if (question.size > 0) ask(question)
  }

  /** First of all: the places of those that are left may be needed. */
  function leaveAllBut(chosen: ReadonlySet<string>) {
    const left = [...members.keys()].filter((productId) => !chosen.has(productId))
    const joined = left.filter(has)
    for (const productId of left) {
      members.delete(productId)
      forget(productId)
    }
    if (joined.length === 0) return
    connection.leave(joined)
    report({ type: 'leave', productIds: joined })
  }

  /** What to ask about a product, if anything. */
  function toAsk(productId: string): Question | undefined {
    const member = members.get(productId)
    if (!member && !isProductId(productId)) return refuseUnasked(productId)
    if (member && (member.state === 'refused' || (member.state === 'joining' && !member.again)))
      return undefined
    return questionOf({
      standing: standings.of(productId),
      listeners: rooms.get(productId)?.listeners ?? [],
      skew: skew(),
      isNeeded: !member || member.again,
      onThrow: (error) => report({ type: 'error', error }),
    })
  }

  function refuseUnasked(productId: string): undefined {
    const refusal = 'a product id is 1 to 128 characters of A-Z a-z 0-9 . _ : ~ -'
    members.set(productId, { ...NEW, state: 'refused' })
    report({ type: 'refused', code: 'invalid_product_id', message: refusal, productId })
  }

  function ask(question: ReadonlyMap<string, Question>) {
    questions += 1
    const own = questions
    for (const productId of question.keys()) {
      const standing = standings.of(productId)
      standing.place = asked(standing.place)
      members.set(productId, { ...NEW, question: own })
    }
    report({ type: 'join', productIds: [...question.keys()] })
    const since = new Map(Array.from(question, ([productId, { since }]) => [productId, since.text]))
    connection.join(since).then(
      (answer) => {
        if (!hasEnded) take(answer, question, own)
      },
      (error: unknown) => {
        if (!hasEnded) giveUp(error instanceof Error ? error.message : String(error))
      },
    )
  }

  function take(answer: JoinAnswer, question: ReadonlyMap<string, Question>, own: number) {
    const waiting: string[] = []
    for (const [productId, what] of question) {
      const member = members.get(productId)
      if (member?.question !== own) continue // left, and perhaps joined anew
      const result = answer.results.get(productId) ?? 'unanswered'
      if (result === 'rate_limited') waiting.push(productId)
      else if (isAnswer(result)) settle(productId, member, what, result, answer.cursor)
      else refuse(productId, member, result)
    }
    if (waiting.length > 0) retryLater(waiting)
    else if (tooFast.size === 0) retries = 0
    schedule() // newcomers may have come while this was asked
  }

  function settle(
    productId: string,
    member: Member,
    what: Question,
    result: JoinResult,
    cursor: string | undefined,
  ) {
    const standing = standings.of(productId)
    if (result === 'unanswered') refetch(productId, 'unanswered', 0)
    if (result === 'resync_required' && !member.wasTold) refetch(productId, 'gap', 0)
    if (standing.place.beyond !== null) standing.changedAtMs = Date.now()
    standing.place = answered(standing.place, cursor)
    standing.knownFromMs = Math.min(
      standing.knownFromMs ?? Date.now(),
      what.since.fromMs ?? Number.POSITIVE_INFINITY,
    )
    standing.heardAtMs = Date.now()
    for (const listener of what.newcomers) listener.isCaughtUp = true
    member.state = 'joined'
  }

  function refuse(productId: string, member: Member, code: string) {
    forget(productId)
    report({ type: 'refused', code, message: member.refusal, productId })
    member.state = 'refused'
  }

  /** They stay as they are until then: whoever is refused an answer still has its hole. */
  function retryLater(productIds: readonly string[]) {
    for (const productId of productIds) {
      const message = members.get(productId)?.refusal ?? ''
      report({ type: 'refused', code: 'rate_limited', message, productId })
      tooFast.add(productId)
    }
    retryTimer ??= setTimeout(retry, Math.min(RETRY_MS * 2 ** retries, RETRY_MS_MAX))
  }

  function retry() {
    retryTimer = undefined
    retries += 1
    for (const productId of tooFast) {
      const member = members.get(productId)
      if (member) member.again = true
    }
    tooFast.clear()
    schedule()
  }

  function again(productId: string) {
    const member = members.get(productId)
    if (member?.state !== 'joined') return
    member.again = true
    schedule()
  }

  /** The answer, if one was awaited, will not come. */
  function forget(productId: string) {
    const standing = standings.of(productId)
    standing.place = lost(standing.place)
  }

  return {
    has,
    members: () => [...members.keys()].filter(has),
    stateOf: (productId) => members.get(productId)?.state,
    follow,
    again,
    wasTold(productId) {
      const member = members.get(productId)
      if (member) member.wasTold = true
    },
    explain(productId, message) {
      const member = members.get(productId)
      if (member?.state !== 'joining') return false
      member.refusal = message
      return true
    },
    probe() {
      const [productId] = [...members].find(([, member]) => member.state === 'joined') ?? []
      if (productId !== undefined) again(productId)
    },
    end() {
      hasEnded = true
      clearTimeout(retryTimer)
      for (const productId of members.keys()) forget(productId)
      members.clear()
    },
  }
}

/** Every other word is the code of a refusal. */
function isAnswer(result: JoinResult): boolean {
  return ['joined', 'events', 'up_to_date', 'resync_required', 'unanswered'].includes(result)
}
