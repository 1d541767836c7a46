import type { Socket } from 'socket.io-client'
import { describe, expect, test, vi } from 'vitest'
import { useFakeTime } from '../test/support/fake-sync.js'
import { chunksOf, joinerOf } from './socket-io-join.js'

useFakeTime()

const grid = (count: number, id: (i: number) => string = (i) => `p${i}`) =>
  new Map(Array.from({ length: count }, (_, i) => [id(i), 'k3f90000.1042']))

/** As much of a socket as a joiner uses. */
function fakeSocket(answer: (name: string, arg: unknown) => unknown) {
  const sent: [string, ...unknown[]][] = []
  const listeners = new Set<(payload: unknown) => void>()
  const socket = {
    emit(name: string, ...args: unknown[]) {
      sent.push([name, ...args.filter((arg) => typeof arg !== 'function')])
      const ack = args.find((arg) => typeof arg === 'function') as ((answer: unknown) => void) | undefined
      const said = answer(name, args[0])
      if (ack && said !== undefined) ack(said)
    },
    timeout: () => ({
      async emitWithAck(name: string, arg: unknown) {
        sent.push([name, arg])
        return answer(name, arg)
      },
    }),
    on: (_name: string, listener: (payload: unknown) => void) => listeners.add(listener),
    off: (_name: string, listener: (payload: unknown) => void) => listeners.delete(listener),
  }
  const hear = (payload: unknown) => {
    for (const listener of [...listeners]) listener(payload)
  }
  return { socket: socket as unknown as Socket, sent, listeners, hear }
}

describe('a gateway that joins many at once', () => {
  const features = ['join_products']

  test('gets 200 products with their cursors in messages that fit', async () => {
    const { socket, sent } = fakeSocket((_name, since) => ({
      ok: true,
      cursor: 'k3f90000.2000',
      results: Object.fromEntries(Object.keys(since as object).map((id) => [id, 'up_to_date'])),
    }))
    const since = grid(200, (i) => `${i}`.padStart(128, 'x'))
    const answer = await joinerOf(socket, features).join(since)
    expect(answer.results.size).toBe(200)
    expect(sent.length).toBeGreaterThan(1)
    for (const [, message] of sent) expect(JSON.stringify(message).length).toBeLessThan(8_200)
  })

  test('is believed what it said first: later it had told more', async () => {
    const cursors = ['k3f90000.7', 'k3f90000.9']
    const { socket } = fakeSocket(() => ({ ok: true, cursor: cursors.shift(), results: {} }))
    const since = grid(100, (i) => `${i}`.padStart(128, 'x'))
    const { cursor } = await joinerOf(socket, features).join(new Map([...since].slice(0, 60)))
    expect(cursor).toBe('k3f90000.7')
  })

  test('may refuse the whole message', async () => {
    const { socket } = fakeSocket(() => ({ ok: false, code: 'rate_limited' }))
    const { results } = await joinerOf(socket, features).join(grid(2))
    expect([...results]).toEqual([
      ['p0', 'rate_limited'],
      ['p1', 'rate_limited'],
    ])
  })

  test('leaves many at once', () => {
    const { socket, sent } = fakeSocket(() => undefined)
    joinerOf(socket, features).leave(['p1', 'p2'])
    expect(sent).toEqual([['leave_product', ['p1', 'p2']]])
  })
})

describe('an older gateway', () => {
  test('gets a join and a question for each product, in this order, and no question about what is new', async () => {
    const { socket, sent } = fakeSocket((name) =>
      name === 'request_sync' ? { ok: true, status: 'up_to_date' } : undefined,
    )
    const since = new Map([
      ['p1', 'k3f90000.1'],
      ['p2', null],
    ])
    const { results } = await joinerOf(socket, []).join(since)
    expect(sent).toEqual([
      ['join_product', 'p1'],
      ['request_sync', 'p1', 'k3f90000.1'],
      ['join_product', 'p2'],
    ])
    expect([...results.values()]).toEqual(['up_to_date', 'joined'])
  })

  test('that answers nothing has three seconds', async () => {
    const { socket, listeners } = fakeSocket(() => undefined)
    const done = vi.fn()
    void joinerOf(socket, []).join(grid(1)).then(done)
    await vi.advanceTimersByTimeAsync(2_999)
    expect(done).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(1)
    expect(done.mock.calls[0]?.[0].results.get('p0')).toBe('unanswered')
    expect(listeners.size).toBe(0)
  })

  test('answers by sending what was missed', async () => {
    const { socket, hear } = fakeSocket(() => undefined)
    const answer = joinerOf(socket, []).join(grid(1))
    hear({ productId: 'another', events: [], timestamp: '' })
    hear({ productId: 'p0', events: [], timestamp: '' })
    expect((await answer).results.get('p0')).toBe('events')
  })

  test('leaves one by one', () => {
    const { socket, sent } = fakeSocket(() => undefined)
    joinerOf(socket, []).leave(['p1', 'p2'])
    expect(sent).toEqual([
      ['leave_product', 'p1'],
      ['leave_product', 'p2'],
    ])
  })
})

test('a piece is never empty, however long an id is', () => {
  expect(chunksOf(grid(3), 1).map((chunk) => chunk.size)).toEqual([1, 1, 1])
})
