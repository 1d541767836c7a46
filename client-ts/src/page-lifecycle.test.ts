// @vitest-environment happy-dom
import { expect, test, vi } from 'vitest'
import { start, useFakeTime } from '../test/support/fake-sync.js'

useFakeTime()

function show(state: 'visible' | 'hidden') {
  vi.spyOn(document, 'visibilityState', 'get').mockReturnValue(state)
  document.dispatchEvent(new Event('visibilitychange'))
}

test('a tab hidden for a minute lets go of its connection, and catches up at once when it is seen', async () => {
  const { gateway, sync } = start()
  const heard = vi.fn()
  sync.subscribe('p1', { onChange: heard })
  await gateway.settled()
  show('hidden')
  await vi.advanceTimersByTimeAsync(59_999)
  expect(sync.getSnapshot().status).toBe('connected')
  await vi.advanceTimersByTimeAsync(1)
  expect(sync.getSnapshot().status).toBe('paused')
  expect(gateway.isOpen).toBe(false)
  gateway.deliver('p1')
  await vi.advanceTimersByTimeAsync(600_000)
  expect(gateway.opened).toBe(1)
  show('visible')
  await gateway.settled()
  expect(sync.getSnapshot().status).toBe('connected')
  expect(heard).toHaveBeenCalledTimes(1)
})

test('a tab that is seen again in time keeps its connection', async () => {
  const { gateway, sync } = start()
  sync.subscribe('p1')
  await gateway.settled()
  for (let turn = 0; turn < 3; turn += 1) {
    show('hidden')
    await vi.advanceTimersByTimeAsync(50_000)
    show('visible')
  }
  await vi.advanceTimersByTimeAsync(60_000)
  expect(gateway.opened).toBe(1)
})

test('a page that was frozen, timers and all, opens anew', async () => {
  const { gateway, sync } = start()
  sync.subscribe('p1')
  await gateway.settled()
  show('hidden')
  vi.setSystemTime(Date.now() + 3_600_000)
  show('visible')
  await gateway.settled()
  expect(gateway.opened).toBe(2)
  expect(sync.getSnapshot().status).toBe('connected')
})

test('a page that goes into the back/forward cache closes, and opens when it comes out', async () => {
  const { gateway, sync } = start()
  sync.subscribe('p1')
  await gateway.settled()
  window.dispatchEvent(new Event('pagehide'))
  expect(gateway.isOpen).toBe(false)
  expect(sync.getSnapshot().status).toBe('paused')
  window.dispatchEvent(new Event('pageshow'))
  await gateway.settled()
  expect([...gateway.joined]).toEqual(['p1'])
})

test('what is wanted while the page is away is joined when it is back', async () => {
  const { gateway, sync } = start()
  sync.subscribe('p1')
  await gateway.settled()
  window.dispatchEvent(new Event('pagehide'))
  sync.subscribe('p2')
  await vi.advanceTimersByTimeAsync(60_000)
  expect(gateway.opened).toBe(1)
  window.dispatchEvent(new Event('pageshow'))
  await gateway.settled()
  expect([...gateway.joined]).toEqual(['p1', 'p2'])
})

test('reconnectNow opens, whether the page is seen or not', async () => {
  const { gateway, sync } = start()
  sync.subscribe('p1')
  await gateway.settled()
  window.dispatchEvent(new Event('pagehide'))
  sync.reconnectNow()
  await gateway.settled()
  expect(sync.getSnapshot().status).toBe('connected')
})

test('when the network is back nothing is waited for', async () => {
  const { gateway, sync } = start()
  sync.subscribe('p1')
  await gateway.settled()
  gateway.drop()
  window.dispatchEvent(new Event('online'))
  await gateway.settled()
  expect(gateway.opened).toBe(2)
})

test('a network that is back opens nothing for a page that nobody sees', async () => {
  const { gateway, sync } = start()
  sync.subscribe('p1')
  await gateway.settled()
  window.dispatchEvent(new Event('pagehide'))
  window.dispatchEvent(new Event('online'))
  await gateway.settled()
  expect(sync.getSnapshot().status).toBe('paused')
  expect(gateway.opened).toBe(1)
})

test('a refused token is tried once more when the page is seen again', async () => {
  const { gateway, sync } = start()
  sync.subscribe('p1')
  await gateway.settled()
  gateway.drop({ kind: 'unauthorized' })
  show('hidden')
  show('visible')
  await gateway.settled()
  expect(sync.getSnapshot().status).toBe('connected')
})

test('a connection that still looks open when the network is back is asked, and given up if it is dead', async () => {
  let isDead = false
  const answer = async () => {
    if (isDead) throw new Error('no answer')
    return { cursor: 'test0000.0', results: new Map([['p1', 'joined']]) }
  }
  const { gateway, sync } = start({}, { answer })
  sync.subscribe('p1')
  await gateway.settled()
  window.dispatchEvent(new Event('online'))
  await gateway.settled()
  expect(gateway.calls).toHaveLength(2)
  isDead = true
  window.dispatchEvent(new Event('online'))
  await gateway.settled()
  expect(sync.getSnapshot()).toMatchObject({ status: 'waiting', lastError: 'no answer' })
})

test('the page is listened to only while something is followed', async () => {
  const added = vi.spyOn(window, 'addEventListener')
  const removed = vi.spyOn(window, 'removeEventListener')
  const { gateway, sync } = start({ lingerMs: 0 })
  expect(added).not.toHaveBeenCalled()
  const stop = sync.subscribe('p1')
  await gateway.settled()
  expect(added.mock.calls.map(([type]) => type)).toEqual(['pagehide', 'pageshow', 'online'])
  stop()
  await vi.advanceTimersByTimeAsync(1)
  expect(removed).toHaveBeenCalledTimes(3)
  expect(vi.getTimerCount()).toBe(0)
})

test('a page that left and forgot everything starts anew when it is seen', async () => {
  const { gateway, sync } = start({ lingerMs: 0 })
  const stop = sync.subscribe('p1')
  await gateway.settled()
  window.dispatchEvent(new Event('pagehide'))
  stop()
  await vi.advanceTimersByTimeAsync(1)
  expect(sync.getSnapshot().status).toBe('idle')
  sync.subscribe('p1')
  await gateway.settled()
  expect(sync.getSnapshot().status).toBe('connected')
})
