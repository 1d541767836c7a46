import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { createBindingRegistry } from './binding-registry.js'
import type { ProductSync } from './options.js'
import { createProductSync } from './product-sync.js'
import { fakeTransport } from './testing.js'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

const [sync, otherSync] = [1, 2].map(() => createProductSync({ transport: fakeTransport() })) as [
  ProductSync,
  ProductSync,
]
const bind = () => ({ stop: vi.fn() })
const makeRegistry = () => createBindingRegistry<object, ReturnType<typeof bind>>()

it('shares one binding per owner and sync', () => {
  const registry = makeRegistry()
  const [owner, other] = [{}, {}]
  const { bound } = registry.hold(owner, sync, bind)
  expect(registry.hold(owner, sync, bind).bound).toBe(bound)
  expect(registry.hold(owner, otherSync, bind).bound).not.toBe(bound)
  expect(registry.hold(other, sync, bind).bound).not.toBe(bound)
})

it('stops it a while after the last has let go', () => {
  const registry = makeRegistry()
  const owner = {}
  const [one, other] = [registry.hold(owner, sync, bind), registry.hold(owner, sync, bind)]
  one.release()
  one.release()
  vi.advanceTimersByTime(10_000)
  expect(one.bound.stop).not.toHaveBeenCalled()
  other.release()
  vi.advanceTimersByTime(1_999)
  expect(one.bound.stop).not.toHaveBeenCalled()
  vi.advanceTimersByTime(1)
  expect(one.bound.stop).toHaveBeenCalledTimes(1)
  expect(registry.hold(owner, sync, bind).bound).not.toBe(one.bound)
})

it('keeps it when somebody comes back in time', () => {
  const registry = makeRegistry()
  const owner = {}
  const { bound, release } = registry.hold(owner, sync, bind)
  release()
  vi.advanceTimersByTime(1_000)
  expect(registry.hold(owner, sync, bind).bound).toBe(bound)
  vi.advanceTimersByTime(10_000)
  expect(bound.stop).not.toHaveBeenCalled()
})
