/**
 * The steps of placing an order when prices may change under the visitor's hands: the shop has the last word, what it
 * corrects is shown, and what the visitor accepts is sent again. It never sends what was not on the screen, never two
 * orders at once, and asks as often as the shop does. It knows no framework and no server.
 */
import { type Correction, correct, type Order, type OrderAnswer } from './order.js'

/** Where the visitor is. */
export type CheckoutState =
  | { readonly step: 'editing' }
  | { readonly step: 'sending'; readonly order: Order }
  /** The shop said `needsUpdate`: show the corrections, and wait. */
  | { readonly step: 'confirming'; readonly order: Order; readonly corrections: readonly Correction[] }
  /** Nobody knows whether it was sold. `retry` asks for the same order once more, under the same key. */
  | { readonly step: 'failed'; readonly order: Order; readonly error: unknown }
  | { readonly step: 'placed'; readonly order: Order; readonly orderNumber: string }

/** What the flow needs of the shop. */
export interface CheckoutFlowOptions {
  /**
   * Sends an order. The shop must sell at most once per key, however often it is sent: an answer may be lost on its way.
   */
  readonly send: (order: Order, idempotencyKey: string) => Promise<OrderAnswer>
  /**
   * Makes the keys.
   * @default crypto.randomUUID
   */
  readonly makeKey?: () => string
}

/** See {@link createCheckoutFlow}. Calls that make no sense in a step do nothing. */
export interface CheckoutFlow {
  getState(): CheckoutState
  /** Called when {@link CheckoutFlow.getState} has something new. Returns a stop. */
  onState(listener: () => void): () => void
  /** Sends what is on the screen. */
  place(order: Order): void
  /** The visitor agrees to the corrections: the corrected order is sent. */
  accept(): void
  /** The visitor does not agree, or thinks again: back to editing. */
  decline(): void
  /** Sends the order that failed once more. */
  retry(): void
}

export function createCheckoutFlow({
  send,
  makeKey = () => crypto.randomUUID(),
}: CheckoutFlowOptions): CheckoutFlow {
  const listeners = new Set<() => void>()
  let state: CheckoutState = { step: 'editing' }
  let key = ''

  function enter(next: CheckoutState): void {
    state = next
    for (const listener of listeners) listener()
  }

  /** Another order gets another key; the same order, sent again, keeps it. */
  async function submit(order: Order, isRetry = false): Promise<void> {
    if (!isRetry) key = makeKey()
    enter({ step: 'sending', order })
    try {
      const answer = await send(order, key)
      enter(
        answer.needsUpdate
          ? { step: 'confirming', order, corrections: answer.corrections }
          : { step: 'placed', order, orderNumber: answer.orderNumber },
      )
    } catch (error) {
      enter({ step: 'failed', order, error })
    }
  }

  return {
    getState: () => state,
    onState(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    place(order) {
      if (state.step === 'editing' || state.step === 'placed') void submit(order)
    },
    accept() {
      if (state.step === 'confirming') void submit(correct(state.order, state.corrections))
    },
    decline() {
      if (state.step === 'confirming' || state.step === 'failed') enter({ step: 'editing' })
    },
    retry() {
      if (state.step === 'failed') void submit(state.order, true)
    },
  }
}
