/**
 * The Socket.IO transport. Loads `socket.io-client` when the first connection is opened; when to try again is the core's
 * to decide, so the library's own reconnecting is off: it gives up after some closes (`io server disconnect`, a refused
 * handshake) and keeps what was sent while it was away, which would replay joins and leaves out of order.
 */
import type { ManagerOptions, Socket, SocketOptions } from 'socket.io-client'
import { joinerOf } from './socket-io-join.js'
import type { CloseReason, Connection, ConnectionHandlers, Transport } from './transport.js'
import { readConnected } from './wire.js'

/** Options of {@link socketIo}. */
export interface SocketIoOptions {
  /**
   * A token for the handshake, asked for before every connection, so that an expired one is replaced.
   * @default anonymous
   */
  readonly token?: () => string | undefined | Promise<string | undefined>
  /**
   * Which transports to try, in this order. Behind proxies that block WebSockets: `['websocket', 'polling']`; polling
   * needs sticky connections when there are several gateways.
   * @default ['websocket']
   */
  readonly transports?: readonly ('websocket' | 'polling')[]
  /**
   * Where the gateway listens.
   * @default '/socket.io/'
   */
  readonly path?: string
}

/** Reaches the gateway at `url` by Socket.IO. */
export function socketIo(url: string, options: SocketIoOptions = {}): Transport {
  return { name: 'socket.io', open: (handlers) => openSocket(url, options, handlers) }
}

function openSocket(url: string, options: SocketIoOptions, handlers: ConnectionHandlers): Connection {
  let socket: Socket | undefined
  let join: Connection['join'] | undefined
  let leave: Connection['leave'] | undefined
  let isClosed = false

  function close() {
    isClosed = true
    socket?.off()
    socket?.disconnect()
  }

  function end(reason: CloseReason) {
    if (isClosed) return
    close()
    handlers.onClose(reason)
  }

  async function connect() {
    const [{ io }, token] = await Promise.all([loadLibrary(), options.token?.()])
    if (isClosed) return
    socket = io(url, settings(options, token))
    socket.on('connected', (payload: unknown) => {
      const hello = readConnected(payload)
      if (!socket || join || !('value' in hello)) return
      const { authenticated, serverTime, features } = hello.value
      ;({ join, leave } = joinerOf(socket, features))
      const serverTimeMs = Date.parse(serverTime)
      handlers.onOpen(Number.isNaN(serverTimeMs) ? { authenticated } : { authenticated, serverTimeMs })
    })
    socket.on('batched_product_update', handlers.onBatch)
    socket.on('resync_required', handlers.onResync)
    socket.on('position', handlers.onPosition)
    socket.on('error', handlers.onRefusal)
    socket.on('connect_error', (error) => end(reasonOf(error)))
    // Also `io server disconnect`, after which the library would stay away for good.
    socket.on('disconnect', (reason) => end({ kind: 'lost', message: reason }))
    socket.connect()
    // Closed after the upgrade and before the handshake, by a gateway that drains say: the library tells nobody.
    socket.io.engine.on('close', (reason) => end({ kind: 'lost', message: reason }))
  }

  connect().catch((error: unknown) => end({ kind: 'lost', message: messageOf(error) }))
  return {
    join: (since) => join?.(since) ?? Promise.reject(new Error('not open')),
    leave: (productIds) => leave?.(productIds),
    close,
  }
}

/** The `try` also tells bundlers that a shop which uses another transport need not have it installed. */
async function loadLibrary(): Promise<typeof import('socket.io-client')> {
  try {
    return await import('socket.io-client')
  } catch (cause) {
    throw new Error('socket.io-client cannot be loaded; is it installed?', { cause })
  }
}

function settings(
  { transports = ['websocket'], path }: SocketIoOptions,
  token: string | undefined,
): Partial<ManagerOptions & SocketOptions> {
  return {
    auth: token === undefined ? { features: ['resync'] } : { token, features: ['resync'] },
    transports: [...transports],
    tryAllTransports: transports.length > 1, // or the library would only ever try the first
    autoConnect: false,
    reconnection: false,
    forceNew: true,
    ...(path === undefined ? {} : { path }),
  }
}

/** A refusal by the gateway itself has its message; all else comes from below and says nothing of the token. */
function reasonOf(error: Error & { description?: unknown }): CloseReason {
  const { message, description } = error
  if (message === 'unauthorized') return { kind: 'unauthorized', message }
  return { kind: description === 503 ? 'refused' : 'lost', message }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
