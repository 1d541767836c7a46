/**
 * One binding per cache and sync, shared by everybody who needs it: ten cards make one. It lingers after the last has
 * let go, so that a route change does not drop what its windows still hold.
 */
import type { ProductSync } from './options.js'

/** As long as a sync keeps a product joined after its last subscriber left. */
const LINGER_MS = 2_000

/** A share in a binding. */
export interface Held<Bound> {
  readonly bound: Bound
  /** Lets go. Twice is once. */
  release(): void
}

/** Holds bindings by owner, the cache they act upon. It keeps no owner alive. */
export interface BindingRegistry<Owner extends object, Bound> {
  /** Shares the binding of this owner and sync; `bind` makes it if there is none. */
  hold(owner: Owner, sync: ProductSync, bind: () => Bound): Held<Bound>
}

export function createBindingRegistry<
  Owner extends object,
  Bound extends { stop(): void },
>(): BindingRegistry<Owner, Bound> {
  interface Entry {
    readonly bound: Bound
    holders: number
    timer: ReturnType<typeof setTimeout> | undefined
  }
  const entries = new WeakMap<Owner, Map<ProductSync, Entry>>()

  return {
    hold(owner, sync, bind) {
      const ofOwner = entries.get(owner) ?? new Map<ProductSync, Entry>()
      entries.set(owner, ofOwner)
      const entry = ofOwner.get(sync) ?? { bound: bind(), holders: 0, timer: undefined }
      ofOwner.set(sync, entry)
      clearTimeout(entry.timer)
      entry.holders += 1

      let released = false
      return {
        bound: entry.bound,
        release() {
          if (released) return
          released = true
          entry.holders -= 1
          if (entry.holders > 0) return
          entry.timer = setTimeout(() => {
            ofOwner.delete(sync)
            entry.bound.stop()
          }, LINGER_MS)
        },
      }
    },
  }
}
