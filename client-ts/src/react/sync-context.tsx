/** Which sync the components below use: the nearest provider's, else the page's. */
import {
  createContext,
  type ReactElement,
  type ReactNode,
  useContext,
  useEffect,
  useLayoutEffect,
  useSyncExternalStore,
} from 'react'
import type { ProductSync } from '../options.js'
import { adoptPageSync, onPageSync, pageSync } from '../page-sync.js'

const SyncContext = createContext<ProductSync | undefined>(undefined)

// Before the effects of the components below, which may use the store; a server has neither, and React 18 warns there.
const useEarlyEffect = typeof window === 'undefined' ? useEffect : useLayoutEffect

export function SyncProvider({
  sync,
  children,
}: {
  sync?: ProductSync | undefined
  children?: ReactNode
}): ReactElement {
  useEarlyEffect(() => (sync ? adoptPageSync(sync) : undefined), [sync])
  return <SyncContext.Provider value={sync}>{children}</SyncContext.Provider>
}

export function useSync(): ProductSync {
  const provided = useContext(SyncContext)
  const getSync = provided ? () => provided : pageSync
  return useSyncExternalStore(onPageSync, getSync, getSync)
}
