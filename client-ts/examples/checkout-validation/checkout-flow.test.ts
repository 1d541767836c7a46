import { expect, it, vi } from 'vitest'
import { type CheckoutFlow, createCheckoutFlow } from './checkout-flow.js'
import type { Order, OrderAnswer } from './order.js'

const SHOES: Order = { lines: [{ productId: 'shoe', quantity: 2, unitPrice: 100 }] }
const DEARER = { productId: 'shoe', field: 'unitPrice', from: 100, to: 120 } as const
const FEWER = { productId: 'shoe', field: 'quantity', from: 2, to: 1 } as const

const needsUpdate = (...corrections: (typeof DEARER | typeof FEWER)[]): OrderAnswer => ({
  needsUpdate: true,
  corrections,
})
const PLACED: OrderAnswer = { needsUpdate: false, orderNumber: 'A-1' }

/** A shop that gives these answers, one after the other; an error is a connection that broke. */
function shop(...answers: (OrderAnswer | Error)[]) {
  const send = vi.fn(async (_order: Order, _key: string) => {
    const answer = answers.shift()
    if (!answer || answer instanceof Error) throw answer
    return answer
  })
  let keys = 0
  const flow = createCheckoutFlow({
    send,
    makeKey: () => {
      keys += 1
      return `key-${keys}`
    },
  })
  return { flow, send }
}

const settled = (flow: CheckoutFlow) => vi.waitFor(() => expect(flow.getState().step).not.toBe('sending'))

it('places an order that is as the visitor saw it', async () => {
  const { flow, send } = shop(PLACED)
  flow.place(SHOES)
  expect(flow.getState()).toEqual({ step: 'sending', order: SHOES })
  await settled(flow)
  expect(flow.getState()).toEqual({ step: 'placed', order: SHOES, orderNumber: 'A-1' })
  expect(send.mock.calls).toEqual([[SHOES, 'key-1']])
})

it('shows what the shop corrects, and sends nothing before it is accepted', async () => {
  const { flow, send } = shop(needsUpdate(DEARER, FEWER), PLACED)
  flow.place(SHOES)
  await settled(flow)
  expect(flow.getState()).toEqual({ step: 'confirming', order: SHOES, corrections: [DEARER, FEWER] })
  expect(send).toHaveBeenCalledTimes(1)
})

it('sends what was accepted, as another order, and it succeeds', async () => {
  const { flow, send } = shop(needsUpdate(DEARER, FEWER), PLACED)
  flow.place(SHOES)
  await settled(flow)
  flow.accept()
  await settled(flow)
  const corrected = { lines: [{ productId: 'shoe', quantity: 1, unitPrice: 120 }] }
  expect(send.mock.calls[1]).toEqual([corrected, 'key-2'])
  expect(flow.getState()).toMatchObject({ step: 'placed', orderNumber: 'A-1' })
})

it('asks again when the price has changed once more', async () => {
  const again = { ...DEARER, from: 120, to: 130 }
  const { flow, send } = shop(needsUpdate(DEARER), { needsUpdate: true, corrections: [again] }, PLACED)
  flow.place(SHOES)
  await settled(flow)
  flow.accept()
  await settled(flow)
  expect(flow.getState()).toMatchObject({ step: 'confirming', corrections: [again] })
  flow.accept()
  await settled(flow)
  expect(send.mock.calls.map(([order]) => order.lines[0]?.unitPrice)).toEqual([100, 120, 130])
})

it('orders no more what is sold out', async () => {
  const { flow, send } = shop(needsUpdate({ ...FEWER, to: 0 } as never), PLACED)
  flow.place({ lines: [...SHOES.lines, { productId: 'hat', quantity: 1, unitPrice: 30 }] })
  await settled(flow)
  flow.accept()
  await settled(flow)
  expect(send.mock.calls[1]?.[0].lines.map(({ productId }) => productId)).toEqual(['hat'])
})

it('goes back to the order when the visitor declines', async () => {
  const { flow, send } = shop(needsUpdate(DEARER))
  flow.place(SHOES)
  await settled(flow)
  flow.decline()
  flow.accept()
  expect(flow.getState()).toEqual({ step: 'editing' })
  expect(send).toHaveBeenCalledTimes(1)
})

it('does not order twice on a second click', async () => {
  const { flow, send } = shop(PLACED)
  flow.place(SHOES)
  flow.place(SHOES)
  await settled(flow)
  expect(send).toHaveBeenCalledTimes(1)
})

it('sends the same order under the same key when the answer was lost, so that it is sold once', async () => {
  const broken = new Error('connection reset')
  const { flow, send } = shop(broken, PLACED)
  flow.place(SHOES)
  await settled(flow)
  expect(flow.getState()).toEqual({ step: 'failed', order: SHOES, error: broken })
  flow.retry()
  await settled(flow)
  expect(send.mock.calls).toEqual([
    [SHOES, 'key-1'],
    [SHOES, 'key-1'],
  ])
  expect(flow.getState().step).toBe('placed')
})

it('tells its listeners about each step until they stop', async () => {
  const { flow } = shop(PLACED, PLACED)
  const steps: string[] = []
  const stop = flow.onState(() => steps.push(flow.getState().step))
  flow.place(SHOES)
  await settled(flow)
  stop()
  flow.place(SHOES)
  await settled(flow)
  expect(steps).toEqual(['sending', 'placed'])
})
