/**
 * The sync of one page. It holds the wish ("these products, kept current"); connections come and go beneath it, and each
 * is brought to the wish when it opens. Nothing here knows a framework, a query cache or a wire.
 */
import { type Conversation, converse } from './conversation.js'
import { printEvent, printWanted } from './debug.js'
import { createListeners } from './listeners.js'
import type {
  InspectedRoom,
  ProductChange,
  ProductSync,
  ProductSyncEvent,
  ProductSyncOptions,
  ProductSyncSnapshot,
} from './options.js'
import { watchPage } from './page-lifecycle.js'
import { keepConnected } from './reconnect.js'
import { createRoles, rolesOf } from './roles.js'
import { createRooms, type Room } from './rooms.js'
import { socketIo } from './socket-io.js'
import { createStandings } from './standings.js'
import type { Connection, ConnectionHandlers, Transport } from './transport.js'

const LINGER_MS = 2_000
const PAUSE_HIDDEN_AFTER_MS = 60_000
const ROOMS_MAX = 200

/** Makes the sync of a page. Nothing is loaded or opened before the first product is subscribed. */
export function createProductSync(options: ProductSyncOptions): ProductSync {
  const { onEvent, debug = false, random = Math.random } = options
  const transport = transportOf(options)
  const changes = createListeners<[ProductChange]>(reportThrown)
  const snapshots = createListeners<[]>(reportThrown)
  const roles = createRoles(reportThrown)
  const standings = createStandings()
  const rooms = createRooms({
    roles,
    lingerMs: options.lingerMs ?? LINGER_MS,
    maxRooms: options.maxRooms ?? ROOMS_MAX,
    onChange: schedule,
    onWanted: (productId, why) => debug && printWanted(productId, why),
  })
  const keeper = keepConnected({
    options: options.reconnect ?? {},
    random,
    open,
    close,
    onState: ({ status, attempt, lastError }) => {
      if (status !== snapshot.status) report({ type: 'status', status })
      update({ status, attempt, lastError, authenticated: status === 'connected' && isAuthenticated })
    },
    onWait: (delayMs, attempt) => report({ type: 'waiting', delayMs, attempt }),
  })
  let snapshot: ProductSyncSnapshot = {
    status: 'idle',
    authenticated: false,
    rooms: 0,
    attempt: 0,
    lastError: undefined,
  }
  let isAuthenticated = false
  let isScheduled = false
  let isDisposed = false
  let stopWatching: (() => void) | undefined
  let live:
    | { readonly connection: Connection; readonly conversation: Conversation; isOpen: boolean }
    | undefined

  function report(event: ProductSyncEvent) {
    try {
      if (debug) printEvent(event)
      onEvent?.(event)
    } catch (error) {
      console.error(error)
    }
  }

  function reportThrown(error: unknown) {
    console.error(error)
    report({ type: 'error', error })
  }

  function update(change: Partial<ProductSyncSnapshot>) {
    const next = { ...snapshot, ...change }
    const keys = Object.keys(next) as (keyof ProductSyncSnapshot)[]
    if (keys.every((key) => next[key] === snapshot[key])) return
    snapshot = next
    snapshots.tell()
  }

  function tell(change: ProductChange) {
    const listeners = rooms.get(change.productId)?.listeners ?? new Set()
    for (const listener of [...listeners]) {
      try {
        if (listeners.has(listener)) listener.subscriber.onChange?.(change)
      } catch (error) {
        reportThrown(error)
      }
    }
    changes.tell(change)
  }

  /** Everything that happens in one moment, a whole grid of cards, is one change of the wish. */
  function schedule() {
    if (isScheduled || isDisposed) return
    isScheduled = true
    queueMicrotask(() => {
      isScheduled = false
      if (!isDisposed) follow()
    })
  }

  function follow() {
    update({ rooms: rooms.size })
    standings.prune((productId) => rooms.get(productId) !== undefined)
    if (rooms.size > 0) {
      stopWatching ??= watchPage(page, options.pauseHiddenAfterMs ?? PAUSE_HIDDEN_AFTER_MS)
    } else {
      stopWatching?.()
      stopWatching = undefined
    }
    keeper.want(rooms.size > 0)
    if (live?.isOpen || transport.opensByJoining) live?.conversation.follow()
  }

  const page = {
    onAway: keeper.pause,
    onBack: keeper.now,
    onOnline() {
      // What still looks open may have died with the network; an unanswered question tells.
      if (live?.isOpen) live.conversation.probe()
      else if (snapshot.status !== 'paused') keeper.now()
    },
  }

  function open(attempt: number) {
    report({ type: 'connecting', transport: transport.name, attempt })
    const connection = transport.open({
      onOpen(hello) {
        if (live !== own) return
        own.isOpen = true
        isAuthenticated = hello.authenticated
        own.conversation.greet(hello)
        report({ type: 'open', authenticated: hello.authenticated })
        keeper.opened()
        own.conversation.follow()
      },
      onClose: (reason) => live === own && keeper.lost(reason),
      onBatch: whileLive('onBatch'),
      onResync: whileLive('onResync'),
      onPosition: whileLive('onPosition'),
      onRefusal: whileLive('onRefusal'),
    })
    const giveUp = (message: string) => live === own && keeper.lost({ kind: 'lost', message })
    const conversation = converse({ connection, rooms, standings, tell, report, schedule, giveUp })
    const own = { connection, conversation, isOpen: false }
    live = own
    if (transport.opensByJoining) conversation.follow()

    function whileLive(name: Exclude<keyof ConnectionHandlers, 'onOpen' | 'onClose'>) {
      return (payload: unknown) => {
        if (live === own) own.conversation[name](payload)
      }
    }
  }

  function close(reason: string) {
    const ended = live
    live = undefined
    ended?.conversation.end()
    ended?.connection.close()
    report({ type: 'closed', reason })
  }

  function inspect(room: Room): InspectedRoom {
    const { productId, listeners, lingers } = room
    const state = lingers ? 'lingering' : (live?.conversation.stateOf(productId) ?? 'wanted')
    const cursor = standings.peek(productId)?.place.at ?? undefined
    return { productId, subscribers: listeners.size, roles: rolesOf(roles, productId), state, cursor }
  }

  return {
    roles,
    report,
    subscribe: (productId, subscriber = {}) =>
      isDisposed ? () => {} : rooms.add(String(productId), subscriber),
    onProductChange: changes.add,
    getSnapshot: () => snapshot,
    onSnapshot: snapshots.add,
    reconnectNow: keeper.now,
    resync() {
      for (const { productId } of [...rooms.all()]) {
        tell({ kind: 'resync', productId, reason: 'requested', spreadMs: 0 })
      }
    },
    inspect: () => Array.from(rooms.all(), inspect),
    dispose() {
      if (isDisposed) return
      isDisposed = true
      stopWatching?.()
      rooms.clear()
      keeper.want(false)
      changes.clear()
      snapshots.clear()
      standings.clear()
    },
  }
}

function transportOf({ transport, url, token }: ProductSyncOptions): Transport {
  if (transport) return transport
  if (url === undefined) throw new Error('createProductSync: give a url or a transport')
  return socketIo(url, token ? { token } : {})
}
