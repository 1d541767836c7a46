/**
 * Calls into a shop's own functions: which keys are lists, where the ids are. They meet keys and data that they were not
 * written for, and one that throws must not keep everything else from being fetched.
 */

/** What hears of it. */
export type OnThrow = (error: unknown) => void

/** The function, but where it throws it answers `otherwise`. Tells of the first time only: there will be many. */
export function guard<Args extends readonly unknown[], Answer>(
  call: (...args: Args) => Answer,
  otherwise: Answer,
  onThrow: OnThrow,
): (...args: Args) => Answer {
  let hasTold = false
  return (...args) => {
    try {
      return call(...args)
    } catch (error) {
      if (!hasTold) onThrow(error)
      hasTold = true
      return otherwise
    }
  }
}
