/**
 * The waits between tries, which `flush` shortens and `close` ends. A time the gateway named is not shortened: it is
 * the one who knows.
 */
import { later } from './timer.js'

/** How long a wait may be while somebody waits for a flush. */
const HURRIED_MS = 1_000

export interface Pauses {
  pause(ms: number, options: { readonly told: boolean }): Promise<void>
  /** From now on waits are short, those under way too, until the returned function is called. */
  hurry(): () => void
  /** Ends all waits. */
  end(): void
}

export function createPauses(): Pauses {
  const waiting = new Set<{ readonly told: boolean; readonly wake: () => void }>()
  let hurried = 0

  return {
    pause(ms, { told }) {
      return new Promise((resolve) => {
        const cancel = later(hurried > 0 && !told ? Math.min(ms, HURRIED_MS) : ms, wake)
        const entry = { told, wake }
        waiting.add(entry)
        function wake(): void {
          cancel()
          waiting.delete(entry)
          resolve()
        }
      })
    },
    hurry() {
      hurried += 1
      for (const { told, wake } of [...waiting]) if (!told) wake()
      return () => {
        hurried -= 1
      }
    },
    end() {
      for (const { wake } of [...waiting]) wake()
    },
  }
}
