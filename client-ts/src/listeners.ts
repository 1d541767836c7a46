/**
 * A set of listeners, where one that throws harms neither the others nor the caller.
 */

/** See {@link createListeners}. */
export interface Listeners<T extends readonly unknown[]> {
  /** The same function may be added twice, and is then called twice. Stopping twice stops once. */
  add(listener: (...args: T) => void): () => void
  /** Calls those who were there at the start of the call, in the order they came. */
  tell(...args: T): void
  clear(): void
}

/** Makes an empty set. `onThrow` hears what listeners throw. */
export function createListeners<T extends readonly unknown[]>(
  onThrow: (error: unknown) => void,
): Listeners<T> {
  const listeners = new Set<{ readonly call: (...args: T) => void }>()
  return {
    add(call) {
      const entry = { call }
      listeners.add(entry)
      return () => {
        listeners.delete(entry)
      }
    },
    tell(...args) {
      for (const entry of [...listeners]) {
        if (!listeners.has(entry)) continue
        try {
          entry.call(...args)
        } catch (error) {
          onThrow(error)
        }
      }
    },
    clear: () => listeners.clear(),
  }
}
