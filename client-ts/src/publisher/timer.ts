/** A timer that does not keep the process alive: a publisher with nothing to do must not, nor one that waits. */
export function later(ms: number, act: () => void): () => void {
  const timer = setTimeout(act, ms)
  // Node has it, and the types of the browser do not.
  ;(timer as { unref?: () => void }).unref?.()
  return () => clearTimeout(timer)
}
