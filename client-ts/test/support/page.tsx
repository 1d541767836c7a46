/**
 * A page of React over TanStack Query, with a gateway in memory, new for every test of the file that imports this. Time is
 * fake, StrictMode is on, and the test scrolls.
 */
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { act, cleanup, type RenderResult, render as renderInto, screen } from '@testing-library/react'
import { type ReactNode, StrictMode } from 'react'
import {
  destroyIntersectionMocking,
  mockIsIntersecting,
  setupIntersectionMocking,
} from 'react-intersection-observer/test-utils'
import { afterEach, beforeEach, vi } from 'vitest'
import type { ProductSync } from '../../src/options.js'
import { createProductSync } from '../../src/product-sync.js'
import { ProductSyncProvider, useProductWebSocket } from '../../src/react-query.js'
import { type FakeTransport, fakeTransport } from '../../src/testing.js'
import { QUIET } from './shown.js'

export let client: QueryClient
export let gateway: FakeTransport
export let sync: ProductSync

/** How long a product stays joined after it was left. */
export const LINGER_MS = 2_000

beforeEach(() => {
  vi.useFakeTimers()
  setupIntersectionMocking(vi.fn)
  client = new QueryClient(QUIET)
  followGateway(fakeTransport())
})
afterEach(() => {
  cleanup()
  sync.dispose()
  client.clear()
  destroyIntersectionMocking()
  vi.useRealTimers()
})

/** Has the page follow another gateway. */
export function followGateway(other: FakeTransport): void {
  gateway = other
  sync = createProductSync({ transport: gateway })
}

/** Lets time pass, and React do what follows from it. */
export const pass = (ms = 10): Promise<unknown> => act(() => vi.advanceTimersByTimeAsync(ms))

/** The page around some components. */
export function page(
  children: ReactNode,
  having: { client?: QueryClient; sync?: ProductSync } = {},
): ReactNode {
  return (
    <StrictMode>
      <QueryClientProvider client={having.client ?? client}>
        <ProductSyncProvider sync={having.sync ?? sync}>{children}</ProductSyncProvider>
      </QueryClientProvider>
    </StrictMode>
  )
}

/** Renders the page, and lets it come to rest. */
export async function render(children: ReactNode): Promise<RenderResult> {
  const rendered = renderInto(page(children))
  await pass()
  return rendered
}

/** How often cards were rendered. */
export let renders = 0

/** A card in a grid, or the page of a product. */
export function Card(props: { id: string | undefined; enabled?: boolean; detail?: boolean }): ReactNode {
  const { id, enabled = true, detail = false } = props
  renders += 1
  const { ref } = useProductWebSocket({ productId: id, enabled, isDetailPage: detail })
  return <article ref={ref} data-testid={id} />
}

/** Scrolls all cards of a product into view, or out of it. */
export function scroll(id: string, isInView: boolean): void {
  for (const element of screen.getAllByTestId(id)) mockIsIntersecting(element, isInView)
}
