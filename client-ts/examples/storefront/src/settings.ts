/**
 * What a page is told at its start. The server writes the gateway's address into the document; how the page keeps current
 * may be chosen in the address (`?live=sse`) and holds for the tab.
 */

/** `poll` is the shop without the gateway: it asks every 30 seconds. It is there to compare with. */
export type LiveMode = 'socket' | 'sse' | 'poll'

interface Settings {
  readonly gatewayUrl: string
  readonly live: LiveMode
  /** How much faster than life everything that waits is, for measuring ten minutes in one. */
  readonly speed: number
}

const MODES: readonly LiveMode[] = ['socket', 'sse', 'poll']

function remembered(name: string): string | null {
  const asked = new URLSearchParams(location.search).get(name)
  if (asked) sessionStorage.setItem(name, asked)
  return asked ?? sessionStorage.getItem(name)
}

function readSettings(): Settings {
  const told = JSON.parse(document.getElementById('settings')?.textContent ?? '{}')
  const asked = remembered('live')
  return {
    gatewayUrl: told.gatewayUrl ?? 'http://localhost:3003',
    live: MODES.find((mode) => mode === asked) ?? 'socket',
    speed: Number(remembered('speed') ?? 1) || 1,
  }
}

export const settings: Settings = readSettings()

/** Whether the gateway is used at all. */
export const isLive: boolean = settings.live !== 'poll'
