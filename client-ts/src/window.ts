/**
 * A fixed window: it opens at the first change and closes `delayMs` later, whatever comes meanwhile. A window that
 * every change pushed back would never close for a product that changes all the time.
 * It collects by product and hands everything over at once; what is done with it is not its business.
 */

/** Options of {@link createWindow}. */
export interface WindowOptions<Item> {
  /** From the first change to the flush. */
  readonly delayMs: number
  /** Gets what was collected, by product, oldest first. Never called with nothing. */
  readonly flush: (collected: ReadonlyMap<string, readonly Item[]>) => void
  /** A source of random numbers in [0, 1). */
  readonly random: () => number
}

/** See {@link createWindow}. */
export interface Window<Item> {
  /** Collects. The flush waits, beyond the window, a time drawn from [0, the largest `spreadMs` collected). */
  add(productId: string, item: Item, spreadMs: number): void
  /** Takes a product out: somebody deals with it at once. */
  take(productId: string): readonly Item[]
  /** Closes for good and gives back what was not flushed. */
  close(): ReadonlyMap<string, readonly Item[]>
}

export function createWindow<Item>({ delayMs, flush, random }: WindowOptions<Item>): Window<Item> {
  let collected = new Map<string, Item[]>()
  let spreadMs = 0
  let timer: ReturnType<typeof setTimeout> | undefined

  function empty(): ReadonlyMap<string, readonly Item[]> {
    clearTimeout(timer)
    timer = undefined
    spreadMs = 0
    const taken = collected
    collected = new Map()
    return taken
  }

  // The spread is drawn when the window ends, so that a change of a much watched product counts although the window
  // was opened by one of a product that nobody else looks at.
  function spread(): void {
    const waitMs = random() * spreadMs
    if (waitMs > 0) timer = setTimeout(() => flush(empty()), waitMs)
    else flush(empty())
  }

  return {
    add(productId, item, itemSpreadMs) {
      const items = collected.get(productId)
      if (items) items.push(item)
      else collected.set(productId, [item])
      spreadMs = Math.max(spreadMs, itemSpreadMs)
      timer ??= setTimeout(spread, delayMs)
    },
    take(productId) {
      const items = collected.get(productId) ?? []
      collected.delete(productId)
      // Else the next change would fall into a window that is half over.
      if (collected.size === 0) empty()
      return items
    },
    close: empty,
  }
}
