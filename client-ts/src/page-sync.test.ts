import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { ProductSyncOptions } from './options.js'
import type { createProductSync } from './product-sync.js'
import { fakeTransport } from './testing.js'

const asked: ProductSyncOptions[] = []
vi.mock('./product-sync.js', async (load) => {
  const real = await load<{ createProductSync: typeof createProductSync }>()
  return {
    createProductSync(options: ProductSyncOptions) {
      asked.push(options)
      return real.createProductSync(options)
    },
  }
})

// The module holds the state of a page: each test gets a new page.
let page: typeof import('./page-sync.js')
beforeEach(async () => {
  asked.length = 0
  vi.resetModules()
  page = await import('./page-sync.js')
})
afterEach(() => vi.unstubAllEnvs())

const make = async () => (await import('./product-sync.js')).createProductSync({ transport: fakeTransport() })

describe("the page's sync", () => {
  it('is made for http://localhost:3003 when nothing says otherwise, once, and when it is asked for', () => {
    expect(asked).toEqual([])
    expect(page.pageSync()).toBe(page.pageSync())
    expect(asked).toEqual([{ url: 'http://localhost:3003' }])
  })

  it('is made for NEXT_PUBLIC_WEBSOCKET_URL', () => {
    vi.stubEnv('NEXT_PUBLIC_WEBSOCKET_URL', 'https://rt.shop.example')
    page.pageSync()
    expect(asked).toEqual([{ url: 'https://rt.shop.example' }])
  })

  it('is made in browsers, which have no process', () => {
    vi.stubGlobal('process', undefined)
    page.pageSync()
    vi.unstubAllGlobals()
    expect(asked).toEqual([{ url: 'http://localhost:3003' }])
  })

  it.each([
    ['localhost', 0],
    ['127.0.0.1', 0],
    ['[::1]', 0],
    ['shop.localhost', 0],
    ['shop.example', 1],
    ['localhost.example', 1],
  ])('that is made for this machine, on a page from %s, is complained about %i times', (hostname, times) => {
    const complaint = vi.spyOn(console, 'warn').mockImplementation(() => {})
    vi.stubGlobal('location', { hostname })
    page.pageSync()
    expect(complaint).toHaveBeenCalledTimes(times)
  })

  it('is made as configured', () => {
    page.configureProductSync({ url: 'https://other.example', lingerMs: 1 })
    page.pageSync()
    expect(asked).toEqual([{ url: 'https://other.example', lingerMs: 1 }])
  })

  it('opens nothing by being made', async () => {
    const gateway = fakeTransport()
    page.configureProductSync({ transport: gateway })
    page.pageSync()
    await gateway.settled()
    expect(gateway.opened).toBe(0)
  })

  it('is disposed by a second configuration (defect: HMR leaves a second socket)', async () => {
    const gateway = fakeTransport()
    page.configureProductSync({ transport: gateway })
    const first = page.pageSync()
    first.subscribe('p1')
    await gateway.settled()
    expect(gateway.isOpen).toBe(true)
    page.configureProductSync({ transport: fakeTransport() })
    expect(gateway.isOpen).toBe(false)
    expect(page.pageSync()).not.toBe(first)
  })

  it('is that of the innermost provider while there is one', async () => {
    const [outer, inner] = [await make(), await make()]
    const stopOuter = page.adoptPageSync(outer)
    const stopInner = page.adoptPageSync(inner)
    expect(page.pageSync()).toBe(inner)
    stopInner()
    stopInner()
    expect(page.pageSync()).toBe(outer)
    stopOuter()
    expect(page.knownPageSync()).toBeUndefined()
  })

  it('tells when it is another one, and only then', async () => {
    const heard: unknown[] = []
    const stop = page.onPageSync(() => heard.push(page.knownPageSync()))
    const made = page.pageSync()
    const adopted = await make()
    const stopAdopted = page.adoptPageSync(adopted)
    page.adoptPageSync(adopted)()
    stopAdopted()
    stop()
    page.configureProductSync({ transport: fakeTransport() })
    expect(heard).toEqual([made, adopted, made])
  })
})
