/** SWR data as components show it, with a shop behind it that counts what it is asked. Each page has its own cache. */
import { act, type RenderResult, render } from '@testing-library/react'
import { type ReactNode, StrictMode } from 'react'
import useSWR, { SWRConfig, useSWRConfig } from 'swr'
import { vi } from 'vitest'

/** What the shop was asked for one key. */
export interface Asked {
  begun: number
  landed: number
}

/** What `useSWRConfig()` gives. */
export type Swr = ReturnType<typeof useSWRConfig>

/** A page with a cache of its own. `swr()` is its config, once it is rendered. */
export function swrPage(): {
  renderPage(children: ReactNode): RenderResult
  page(children: ReactNode): ReactNode
  swr(): Swr
} {
  const cache = new Map()
  let config: Swr | undefined
  function Config() {
    config = useSWRConfig()
    return null
  }
  const page = (children: ReactNode) => (
    <StrictMode>
      <SWRConfig value={{ provider: () => cache, dedupingInterval: 0, shouldRetryOnError: false }}>
        <Config />
        {children}
      </SWRConfig>
    </StrictMode>
  )
  return {
    page,
    renderPage: (children) => render(page(children)),
    swr() {
      if (!config) throw new Error('render the page first')
      return config
    },
  }
}

/** Shows data under a key. Its answers take `tookMs`; `answer` gets the number of the fetch, from 1 on. */
export function shownSwr(key: unknown, answer: (nth: number) => unknown = (nth) => nth, tookMs = 0) {
  const asked: Asked = { begun: 0, landed: 0 }
  async function fetcher() {
    asked.begun += 1
    const answered = answer(asked.begun)
    await new Promise((resolve) => setTimeout(resolve, tookMs))
    asked.landed += 1
    return answered
  }
  function Shown({ id = 'shown' }: { id?: string }) {
    const { data } = useSWR(key as string, fetcher)
    return <p data-testid={id}>{JSON.stringify(data)}</p>
  }
  return { asked, Shown }
}

/** Lets time pass, and React do what follows from it. */
export const pass = (ms = 10): Promise<void> =>
  act(async () => {
    await vi.advanceTimersByTimeAsync(ms)
  })
