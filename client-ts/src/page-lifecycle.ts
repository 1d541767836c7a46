/**
 * What happens to the page, as far as a connection is concerned. Only listens; what is done about it is decided by the
 * caller. Where there is no page (Node), nothing ever happens.
 */

/** What is heard. */
export interface PageListeners {
  /** Nobody sees the page: it was hidden for long enough, or goes into the back/forward cache. */
  readonly onAway: () => void
  /** It is seen again. */
  readonly onBack: () => void
  /** The network of this machine is back. The other way round means nothing: browsers are wrong about it too often. */
  readonly onOnline: () => void
}

/** Starts to listen. Returns a stop. */
export function watchPage(listeners: PageListeners, awayAfterMs: number): () => void {
  if (typeof document === 'undefined' || typeof window === 'undefined') return () => {}
  const { onAway, onBack, onOnline } = listeners
  let timer: ReturnType<typeof setTimeout> | undefined
  let hiddenAtMs: number | undefined

  function look() {
    clearTimeout(timer)
    if (document.visibilityState === 'hidden') {
      hiddenAtMs ??= Date.now()
      timer = setTimeout(onAway, awayAfterMs)
      return
    }
    // A frozen page has no timers: what should have been closed is closed late, and opened again.
    if (hiddenAtMs !== undefined && Date.now() - hiddenAtMs >= awayAfterMs) onAway()
    hiddenAtMs = undefined
    onBack()
  }

  function leave() {
    clearTimeout(timer)
    onAway() // an open connection keeps the page out of the back/forward cache
  }

  const stops = [
    on(document, 'visibilitychange', look),
    on(window, 'pagehide', leave),
    on(window, 'pageshow', look),
    on(window, 'online', onOnline),
  ]
  look()
  return () => {
    clearTimeout(timer)
    for (const stop of stops) stop()
  }
}

function on(target: EventTarget, type: string, listener: () => void): () => void {
  target.addEventListener(type, listener)
  return () => target.removeEventListener(type, listener)
}
