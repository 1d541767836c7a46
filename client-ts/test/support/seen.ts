/** Hides and shows the page. */
export function setSeen(isSeen: boolean): void {
  if (typeof document === 'undefined') return
  Object.defineProperty(document, 'visibilityState', {
    configurable: true,
    get: () => (isSeen ? 'visible' : 'hidden'),
  })
  document.dispatchEvent(new Event('visibilitychange', { bubbles: true }))
}
