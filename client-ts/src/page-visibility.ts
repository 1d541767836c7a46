/** Whether anybody sees the page. Where there is no page (a server, a worker) it counts as seen. */

export function isPageHidden(): boolean {
  return typeof document !== 'undefined' && document.visibilityState === 'hidden'
}

/** Calls back each time the page comes to be seen. Returns a stop. */
export function onPageSeen(listener: () => void): () => void {
  if (typeof document === 'undefined') return () => {}
  const check = () => {
    if (!isPageHidden()) listener()
  }
  document.addEventListener('visibilitychange', check)
  return () => document.removeEventListener('visibilitychange', check)
}
