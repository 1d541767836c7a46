/**
 * The sync of one page: it holds the wish ("these products, kept current"), and connections come and go beneath it.
 */
import type {
  ProductChange,
  ProductRole,
  ProductRoles,
  ProductSubscriber,
  ProductSync,
  ProductSyncOptions,
  ProductSyncSnapshot,
} from './options.js'
import type { Connection } from './transport.js'
import type { BatchedProductUpdate, ResyncRequired } from './types.js'

/** Makes the sync of a page. Nothing is loaded or opened before the first product is subscribed. */
export function createProductSync(options: ProductSyncOptions): ProductSync {
  const { transport, lingerMs = 2_000 } = options
  if (!transport) throw new Error('createProductSync needs a url or a transport')
  const rooms = new Map<string, Set<ProductSubscriber>>()
  const changeListeners = new Set<(change: ProductChange) => void>()
  const snapshotListeners = new Set<() => void>()
  const joined = new Set<string>()
  let connection: Connection | undefined
  let flushing = false
  let snapshot: ProductSyncSnapshot = {
    status: 'idle',
    authenticated: false,
    rooms: 0,
    attempt: 0,
    lastError: undefined,
  }
  const roles = createRoles(schedule)

  function update(change: Partial<ProductSyncSnapshot>) {
    snapshot = { ...snapshot, ...change }
    for (const listener of snapshotListeners) listener()
  }

  function tell(change: ProductChange) {
    for (const subscriber of rooms.get(change.productId) ?? []) subscriber.onChange?.(change)
    for (const listener of changeListeners) listener(change)
  }

  function wanted(): Set<string> {
    return new Set([...rooms.keys(), ...roles.get('detail'), ...roles.get('cart'), ...roles.get('checkout')])
  }

  function schedule() {
    if (flushing) return
    flushing = true
    queueMicrotask(() => {
      flushing = false
      flush()
    })
  }

  function flush() {
    const ids = wanted()
    if (snapshot.rooms !== ids.size) update({ rooms: ids.size })
    if (ids.size === 0) {
      connection?.close()
      connection = undefined
      joined.clear()
      if (snapshot.status !== 'idle') update({ status: 'idle' })
      return
    }
    if (!connection) return open()
    if (snapshot.status !== 'connected') return
    const left = [...joined].filter((id) => !ids.has(id))
    const fresh = [...ids].filter((id) => !joined.has(id))
    for (const id of left) joined.delete(id)
    for (const id of fresh) joined.add(id)
    if (left.length > 0) connection.leave(left)
    if (fresh.length > 0) void connection.join(new Map(fresh.map((id) => [id, null])))
  }

  function open() {
    update({ status: 'connecting' })
    connection = transport?.open({
      onOpen(hello) {
        update({ status: 'connected', authenticated: hello.authenticated })
        flush()
      },
      onBatch(payload) {
        const batch = payload as BatchedProductUpdate
        tell({ kind: 'batch', productId: batch.productId, batch, spreadMs: batch.spreadMs })
      },
      onResync(payload) {
        const word = payload as ResyncRequired
        for (const productId of word.productIds ?? joined) {
          tell({ kind: 'resync', productId, reason: word.reason, spreadMs: word.spreadMs })
        }
      },
      onPosition() {},
      onRefusal() {},
      onClose(reason) {
        connection = undefined
        joined.clear()
        update({ status: 'waiting', lastError: reason.message })
        setTimeout(schedule, 1_000)
      },
    })
  }

  return {
    roles,
    subscribe(productId, subscriber = {}) {
      const id = String(productId)
      const own = { ...subscriber }
      rooms.set(id, (rooms.get(id) ?? new Set()).add(own))
      schedule()
      return () => {
        const room = rooms.get(id)
        if (!room?.delete(own) || room.size > 0) return
        setTimeout(() => {
          if (rooms.get(id)?.size === 0) {
            rooms.delete(id)
            schedule()
          }
        }, lingerMs)
      }
    },
    onProductChange(listener) {
      changeListeners.add(listener)
      return () => changeListeners.delete(listener)
    },
    getSnapshot: () => snapshot,
    onSnapshot(listener) {
      snapshotListeners.add(listener)
      return () => snapshotListeners.delete(listener)
    },
    reconnectNow: schedule,
    resync() {
      for (const productId of joined) tell({ kind: 'resync', productId, reason: 'gap', spreadMs: 0 })
    },
    report: (event) => options.onEvent?.(event),
    inspect: () => [],
    dispose() {
      connection?.close()
      rooms.clear()
    },
  }
}

function createRoles(changed: () => void): ProductRoles {
  const sets: Record<ProductRole, ReadonlySet<string>> = {
    detail: new Set(),
    cart: new Set(),
    checkout: new Set(),
  }
  const listeners = new Set<() => void>()
  return {
    get: (role) => sets[role],
    has: (role, productId) => sets[role].has(String(productId)),
    set(role, productIds) {
      const next = new Set([...productIds].map(String))
      if (next.size === sets[role].size && [...next].every((id) => sets[role].has(id))) return
      sets[role] = next
      changed()
      for (const listener of listeners) listener()
    },
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
