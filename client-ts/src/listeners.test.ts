import { expect, test, vi } from 'vitest'
import { createListeners } from './listeners.js'

test('one that throws is reported, and the others are told', () => {
  const onThrow = vi.fn()
  const listeners = createListeners<[string]>(onThrow)
  const error = new Error('a bug of the shop')
  const after = vi.fn()
  listeners.add(() => {
    throw error
  })
  listeners.add(after)
  listeners.tell('news')
  expect(after).toHaveBeenCalledExactlyOnceWith('news')
  expect(onThrow).toHaveBeenCalledExactlyOnceWith(error)
})

test('the same function added twice is called twice, and stopping twice stops once', () => {
  const listeners = createListeners<[]>(vi.fn())
  const listener = vi.fn()
  const stop = listeners.add(listener)
  listeners.add(listener)
  stop()
  stop()
  listeners.tell()
  expect(listener).toHaveBeenCalledTimes(1)
})

test('who comes or goes while others are told is told from then on, or no more', () => {
  const listeners = createListeners<[]>(vi.fn())
  const [late, gone] = [vi.fn(), vi.fn()]
  listeners.add(() => {
    listeners.add(late)
    stopGone()
  })
  const stopGone = listeners.add(gone)
  listeners.tell()
  expect([late, gone].map((listener) => listener.mock.calls.length)).toEqual([0, 0])
})
