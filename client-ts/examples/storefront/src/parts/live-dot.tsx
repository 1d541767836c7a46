/** A dot that says whether prices are live. Who wants to know more opens it; nobody else is bothered. */

import type { SocketStatus } from '@shelfcast/client'
import { useProductSyncStatus } from '@shelfcast/client/react-query'
import { sync } from '../live'
import { isLive, type LiveMode, settings } from '../settings'

const WORDS: Readonly<Record<SocketStatus, string>> = {
  idle: 'Nothing on this page changes by itself.',
  connecting: 'Connecting …',
  connected: 'Prices and stock on this page are live.',
  waiting: 'The line is down. What you see may be a little old.',
  paused: 'Paused while nobody looks.',
  failed: 'The gateway refused us.',
}

const MODES: readonly (readonly [LiveMode, string])[] = [
  ['socket', 'Socket.IO'],
  ['sse', 'Server-sent events'],
  ['poll', 'Polling, 30 s'],
]

export function LiveDot() {
  const { status, rooms } = useProductSyncStatus()
  const words = isLive ? WORDS[status] : 'This page asks every 30 seconds.'
  return (
    <details className="live" data-status={isLive ? status : 'poll'} data-rooms={rooms}>
      <summary aria-label={words}>
        <i />
      </summary>
      <div className="panel">
        <p>{words}</p>
        {isLive && <p className="quiet">{rooms === 1 ? '1 product' : `${rooms} products`} followed</p>}
        {status === 'waiting' && (
          <button type="button" className="text" onClick={() => sync.reconnectNow()}>
            Try now
          </button>
        )}
        <ul>
          {MODES.map(([mode, label]) => (
            <li key={mode}>
              <a href={`?live=${mode}`} {...(settings.live === mode && { 'aria-current': 'true' })}>
                {label}
              </a>
            </li>
          ))}
        </ul>
      </div>
    </details>
  )
}
