/**
 * Follows one product while it is in view, or while its page is mounted. Knows no cache: whoever binds one says how to
 * hold the binding.
 */
import { useEffect, useRef } from 'react'
import type { Held } from '../binding-registry.js'
import { claimRole } from '../role-claims.js'
import { useSync } from './sync-context.js'
import { canTellInView, type InViewOptions, type InViewRef, useInView } from './use-in-view.js'

/** Options of `useProductWebSocket`. */
export interface ProductWebSocketOptions {
  /** The product that the component shows. Nothing is followed while it is not known yet. */
  readonly productId: string | number | null | undefined
  /**
   * The component is the page of the product: it is followed as long as it is mounted, wherever it is scrolled, and is
   * the active detail product.
   * @default false
   */
  readonly isDetailPage?: boolean
  /**
   * Whether to follow it at all, e.g. not before its id is known.
   * @default true
   */
  readonly enabled?: boolean
  /** What counts as in view. */
  readonly intersectionOptions?: InViewOptions
}

/** What `useProductWebSocket` gives. */
export interface ProductWebSocket {
  /** Goes onto the element that shows the product. A detail page needs none. */
  readonly ref: InViewRef
}

/** A binding that may know when the data on screen was fetched. Stable while it is the same binding. */
export type HoldBinding = () => Held<{ since?(productId: string): number | undefined }>

/** Shops write `product?.id ?? ''` as well. */
export function isKnown(productId: string | number | null | undefined): productId is string | number {
  return productId !== undefined && productId !== null && productId !== ''
}

export function useFollowedProduct(
  { productId, isDetailPage = false, enabled = true, intersectionOptions }: ProductWebSocketOptions,
  hold: HoldBinding,
): ProductWebSocket {
  const sync = useSync()
  const isInView = useRef(false)
  const follow = useRef<(isWanted: boolean) => void>(undefined)

  // Whatever changes but the view is looked at anew here, with the view as it was last told.
  useEffect(() => {
    if (!enabled || !isKnown(productId)) return
    const held = hold()
    const start = isDetailPage
      ? () => {
          const claim = claimRole(sync.roles, 'detail')
          claim.set([productId])
          return () => claim.set([])
        }
      : () =>
          sync.subscribe(productId, { since: () => held.bound.since?.(String(productId)), why: 'in view' })
    let stop: (() => void) | undefined
    follow.current = (isWanted) => {
      if (isWanted) stop ??= start()
      else {
        stop?.()
        stop = undefined
      }
    }
    follow.current(isDetailPage || isInView.current || !canTellInView())
    return () => {
      follow.current = undefined
      stop?.()
      held.release()
    }
  }, [sync, hold, productId, isDetailPage, enabled])

  const ref = useInView((inView) => {
    isInView.current = inView
    follow.current?.(inView || isDetailPage)
  }, intersectionOptions)
  return { ref }
}
