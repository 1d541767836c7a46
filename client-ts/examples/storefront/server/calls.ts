/** Counts the calls of the shop's own API, by route: what live updates are to make few of. */

export interface Calls {
  count(route: string): void
  /** Of the routes that visitors' pages read, without the admin panel's and without orders. */
  read(): { readonly total: number; readonly byRoute: Readonly<Record<string, number>> }
  reset(): void
}

export function createCalls(): Calls {
  const counts = new Map<string, number>()
  return {
    count(route) {
      if (route.startsWith('GET') && !route.includes('/admin/'))
        counts.set(route, (counts.get(route) ?? 0) + 1)
    },
    read: () => ({
      total: [...counts.values()].reduce((sum, count) => sum + count, 0),
      byRoute: Object.fromEntries(counts),
    }),
    reset: () => counts.clear(),
  }
}
