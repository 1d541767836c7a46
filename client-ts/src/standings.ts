/**
 * What is known of each product, kept for a while after it was left: who scrolls back asks from where it stood, and is
 * told what changed meanwhile.
 */
import { UNKNOWN } from './positions.js'
import type { Standing } from './since.js'

/** Products remembered after they were left. One that is forgotten is asked about by the age of the data on screen. */
const REMEMBERED_MAX = 1_000

/** See {@link createStandings}. */
export interface Standings {
  /** The standing of a product, which becomes the last to be forgotten. */
  of(productId: string): Standing
  /** The standing, if there is one. */
  peek(productId: string): Standing | undefined
  /** Forgets the oldest of those that are not wanted, down to what is remembered. */
  prune(isWanted: (productId: string) => boolean): void
  clear(): void
}

export function createStandings(max: number = REMEMBERED_MAX): Standings {
  const standings = new Map<string, Standing>()
  return {
    of(productId) {
      const standing = standings.get(productId) ?? {
        place: UNKNOWN,
        knownFromMs: undefined,
        changedAtMs: undefined,
        heardAtMs: undefined,
      }
      standings.delete(productId)
      standings.set(productId, standing)
      return standing
    },
    peek: (productId) => standings.get(productId),
    prune(isWanted) {
      for (const productId of standings.keys()) {
        if (standings.size <= max) return
        if (!isWanted(productId)) standings.delete(productId)
      }
    },
    clear: () => standings.clear(),
  }
}
