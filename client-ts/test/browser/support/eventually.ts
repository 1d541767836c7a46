/** Waits for what only a server or a page can tell, asking again; a page's own elements are waited for by locators. */
const ASK_EVERY_MS = 50

export async function eventually<T>(
  ask: () => Promise<T> | T,
  isIt: (value: T) => boolean,
  deadlineMs = 10_000,
): Promise<T> {
  const end = Date.now() + deadlineMs
  for (;;) {
    const value = await ask()
    if (isIt(value)) return value
    if (Date.now() > end) throw new Error(`after ${deadlineMs} ms it is still ${JSON.stringify(value)}`)
    await new Promise((resolve) => setTimeout(resolve, ASK_EVERY_MS))
  }
}
