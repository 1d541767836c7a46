/** What a page says over Socket.IO, read off its WebSocket. */
import type { Page } from 'playwright-core'

export interface Wire {
  /** Sockets opened so far. */
  readonly sockets: number
  /** Every product joined, as often as it was. */
  readonly joins: readonly string[]
  readonly leaves: readonly string[]
}

export function watchWire(page: Page): Wire {
  const wire = { sockets: 0, joins: [] as string[], leaves: [] as string[] }
  page.on('websocket', (socket) => {
    wire.sockets += 1
    socket.on('framesent', ({ payload }) => {
      // An event of Socket.IO: 42, the number of its acknowledgement, and a list of its name and arguments.
      const packet = /^42\d*(\[.*)$/s.exec(String(payload))?.[1]
      const [name, products] = packet ? JSON.parse(packet) : []
      if (name === 'join_products') wire.joins.push(...Object.keys(products))
      if (name === 'leave_product') wire.leaves.push(...[products].flat())
    })
  })
  return wire
}
