/**
 * The transport over server-sent events, for shops behind proxies that break WebSockets or that load no Socket.IO. The
 * products stand in the URL of a stream, so a connection opens by joining, and joining opens streams.
 *
 * Browsers allow six connections to a host over HTTP/1.1, all tabs together: put a proxy that speaks HTTP/2 in front.
 */
import type { StreamPlan } from './sse-plan.js'
import { openStream, type StreamListeners } from './sse-stream.js'
import { createStreams } from './sse-streams.js'
import type { CloseReason, Connection, ConnectionHandlers, Transport } from './transport.js'

/** Options of {@link sse}. */
export interface SseOptions {
  /**
   * A token for the `Authorization` header, asked for before every stream, so that an expired one is replaced.
   * @default anonymous
   */
  readonly token?: () => string | undefined | Promise<string | undefined>
  /**
   * Where the gateway serves its streams, appended to the URL.
   * @default '/api/events'
   */
  readonly path?: string
}

/** Reaches the gateway at `url` by server-sent events. */
export function sse(url: string, options: SseOptions = {}): Transport {
  return {
    name: 'sse',
    opensByJoining: true,
    open: (handlers) => openConnection(url, options, handlers),
  }
}

function openConnection(url: string, options: SseOptions, handlers: ConnectionHandlers): Connection {
  const { token, path = '/api/events' } = options
  const base = url.replace(/\/+$/, '') + path
  let authenticated = false
  let isHeard = false
  let isClosed = false

  function open({ productIds, from }: StreamPlan, listeners: StreamListeners): () => void {
    let close: (() => void) | undefined
    let isUnwanted = false
    async function request() {
      const own = await token?.()
      if (isUnwanted) return
      authenticated = own !== undefined
      const since = from === null ? '' : `&lastEventId=${encodeURIComponent(from)}`
      // The ids have only characters that stand for themselves in a query.
      close = openStream(`${base}?products=${productIds.join(',')}&features=resync${since}`, own, listeners)
    }
    request().catch((error: unknown) => {
      if (!isUnwanted) listeners.onEnd({ kind: 'lost', message: String(error) })
    })
    return () => {
      isUnwanted = true
      close?.()
    }
  }

  const streams = createStreams({
    open,
    handlers,
    onHeard() {
      if (isHeard) return
      isHeard = true
      handlers.onOpen({ authenticated })
    },
    onEnd(reason: CloseReason) {
      if (isClosed) return
      close()
      handlers.onClose(reason)
    },
  })

  function close() {
    isClosed = true
    streams.close()
  }

  return { ...streams, close }
}
