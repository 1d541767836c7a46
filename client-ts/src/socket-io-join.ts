/**
 * How products are joined over Socket.IO: with one `join_products` where the gateway knows it, and product by product with
 * the words of the original protocol where it does not.
 */
import type { Socket } from 'socket.io-client'
import { compareCursors } from './cursor.js'
import type { Connection, JoinAnswer } from './transport.js'
import type { JoinResult } from './types.js'
import { readBatch, readJoined } from './wire.js'

/** A message is at most 16 KiB; so much of it is products, and the rest is framing and room for escapes. */
const MESSAGE_BYTES_MAX = 8 * 1024
/** The gateway may wait two seconds for its log to catch up with a cursor. */
const ANSWER_TIMEOUT_MS = 10_000
const OLD_ANSWER_TIMEOUT_MS = 3_000

type Since = ReadonlyMap<string, string | null>

/** The `join` and `leave` of a connection to a gateway with these features. */
export function joinerOf(socket: Socket, features: readonly string[]): Pick<Connection, 'join' | 'leave'> {
  if (!features.includes('join_products')) return oneByOne(socket)
  return {
    async join(since) {
      const answers = await Promise.all(chunksOf(since).map((chunk) => joinChunk(socket, chunk)))
      const cursor = answers.map((answer) => answer.cursor).reduce(older)
      const results = new Map(answers.flatMap((answer) => [...answer.results]))
      return cursor === undefined ? { results } : { cursor, results }
    },
    leave(productIds) {
      for (const chunk of chunksOf(new Map(productIds.map((productId) => [productId, null])))) {
        socket.emit('leave_product', [...chunk.keys()])
      }
    },
  }
}

async function joinChunk(socket: Socket, chunk: Since): Promise<JoinAnswer> {
  const payload: unknown = await socket
    .timeout(ANSWER_TIMEOUT_MS)
    .emitWithAck('join_products', Object.fromEntries(chunk))
  const answer = readJoined(payload)
  if ('problem' in answer) throw new Error(`the answer to join_products is ${answer.problem}`)
  const { cursor, code, results } = answer.value
  const resultOf = (productId: string): [string, JoinResult] => [
    productId,
    results[productId] ?? code ?? 'unanswered',
  ]
  return { cursor, results: new Map([...chunk.keys()].map(resultOf)) }
}

/** What the first of them says is true of all: those asked later were told at least as much. */
function older(a: string | undefined, b: string | undefined): string | undefined {
  if (a === undefined || b === undefined) return undefined
  const order = compareCursors(a, b)
  return order === undefined ? undefined : order <= 0 ? a : b
}

/** In pieces that fit into a message each. */
export function chunksOf(since: Since, bytesMax: number = MESSAGE_BYTES_MAX): Since[] {
  const chunks: Map<string, string | null>[] = [new Map()]
  let bytes = 0
  for (const [productId, from] of since) {
    const more = JSON.stringify(productId).length + JSON.stringify(from).length + 2
    if (bytes + more > bytesMax && bytes > 0) {
      chunks.push(new Map())
      bytes = 0
    }
    chunks.at(-1)?.set(productId, from)
    bytes += more
  }
  return chunks
}

/** Joining takes effect in order and has no answer; asking may have one, or may just bring what was missed. */
function oneByOne(socket: Socket): Pick<Connection, 'join' | 'leave'> {
  return {
    async join(since) {
      const results = Array.from(since, async ([productId, from]): Promise<[string, JoinResult]> => {
        socket.emit('join_product', productId)
        return [productId, from === null ? 'joined' : await requestSync(socket, productId, from)]
      })
      return { results: new Map(await Promise.all(results)) }
    },
    leave(productIds) {
      for (const productId of productIds) socket.emit('leave_product', productId)
    },
  }
}

function requestSync(socket: Socket, productId: string, from: string): Promise<JoinResult> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => settle('unanswered'), OLD_ANSWER_TIMEOUT_MS)
    function settle(result: JoinResult) {
      clearTimeout(timer)
      socket.off('batched_product_update', hear)
      resolve(result)
    }
    function hear(payload: unknown) {
      const batch = readBatch(payload)
      if ('value' in batch && batch.value.productId === productId) settle('events')
    }
    socket.on('batched_product_update', hear)
    socket.emit('request_sync', productId, from, (answer: { status?: string; code?: string } | undefined) =>
      settle(answer?.status ?? answer?.code ?? 'unanswered'),
    )
  })
}
