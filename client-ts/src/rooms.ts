/**
 * The wish list: which products the page wants, who wants them, and which of them are joined if they are too many. It
 * knows no connection; a wish outlives them all.
 */
import type { ProductRoles, ProductSubscriber } from './options.js'
import { ROLES } from './roles.js'

/** One who listens to one product. */
export interface Listener {
  readonly subscriber: ProductSubscriber
  /** It has been told, or needs not be told, what happened before it came. */
  isCaughtUp: boolean
}

/** One wanted product. */
export interface Room {
  readonly productId: string
  readonly listeners: Set<Listener>
  /** Rises with every first subscriber: who came last. */
  readonly order: number
  /** Set while nobody wants it any more and it is kept for a moment. */
  readonly lingers: boolean
}

/** See {@link createRooms}. */
export interface Rooms {
  readonly size: number
  get(productId: string): Room | undefined
  all(): Iterable<Room>
  /** Adds a listener. Returns an idempotent stop. */
  add(productId: string, subscriber: ProductSubscriber): () => void
  /** The products to be joined: as many as may be, those with a role first, then those that came last. */
  chosen(): ReadonlySet<string>
  clear(): void
}

/** What rooms need to know. */
export interface RoomsOptions {
  readonly roles: ProductRoles
  readonly lingerMs: number
  readonly maxRooms: number
  /** The wish has changed. */
  readonly onChange: () => void
  /** A product is wanted that was not: `debug` prints why. */
  readonly onWanted: (productId: string, why: string | undefined) => void
}

interface OwnRoom extends Room {
  order: number
  lingers: boolean
  timer: ReturnType<typeof setTimeout> | undefined
}

/** Makes an empty wish list, which follows `roles` from here on. */
export function createRooms(options: RoomsOptions): Rooms {
  const { roles, lingerMs, maxRooms, onChange, onWanted } = options
  const rooms = new Map<string, OwnRoom>()
  let entered = 0
  const stopRoles = roles.onChange(followRoles)

  const hasRole = (productId: string) => ROLES.some((role) => roles.has(role, productId))

  function enter(productId: string, why: string | undefined): OwnRoom {
    const known = rooms.get(productId)
    if (known && !known.lingers) return known
    clearTimeout(known?.timer)
    entered += 1
    const room = known ?? {
      productId,
      listeners: new Set(),
      order: entered,
      lingers: false,
      timer: undefined,
    }
    room.order = entered
    room.lingers = false
    rooms.set(productId, room)
    onWanted(productId, why)
    onChange()
    return room
  }

  /** Nobody may want it any more. It stays for a moment: most who leave come back, or render once more. */
  function leave(room: OwnRoom) {
    if (rooms.get(room.productId) !== room || room.lingers) return
    if (room.listeners.size > 0 || hasRole(room.productId)) return
    room.lingers = true
    room.timer = setTimeout(() => {
      rooms.delete(room.productId)
      onChange()
    }, lingerMs)
    onChange()
  }

  function followRoles() {
    for (const role of ROLES) {
      for (const productId of roles.get(role)) enter(productId, role === 'detail' ? 'detail page' : role)
    }
    for (const room of [...rooms.values()]) leave(room)
    onChange() // the order of giving way may have changed
  }

  /** What gives way first comes last. */
  function byImportance(a: OwnRoom, b: OwnRoom): number {
    const rank = (room: OwnRoom) => {
      const role = ROLES.findIndex((name) => roles.has(name, room.productId))
      if (role >= 0) return role
      return room.lingers ? ROLES.length + 1 : ROLES.length
    }
    return rank(a) - rank(b) || b.order - a.order
  }

  return {
    get size() {
      return rooms.size
    },
    get: (productId) => rooms.get(productId),
    all: () => rooms.values(),
    add(productId, subscriber) {
      const room = enter(productId, subscriber.why)
      const listener = { subscriber, isCaughtUp: false }
      room.listeners.add(listener)
      onChange()
      return () => {
        if (room.listeners.delete(listener)) leave(room)
      }
    },
    chosen() {
      if (rooms.size <= maxRooms) return new Set(rooms.keys())
      const ranked = [...rooms.values()].sort(byImportance)
      return new Set(ranked.slice(0, maxRooms).map((room) => room.productId))
    },
    clear() {
      stopRoles()
      for (const room of rooms.values()) clearTimeout(room.timer)
      rooms.clear()
    },
  }
}
