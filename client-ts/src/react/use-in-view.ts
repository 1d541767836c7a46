/**
 * Whether an element is in view, told to a function and not to React: scrolling renders nothing.
 * Where the browser cannot tell (an old one, the DOM of a test), everything counts as in view.
 */
import { useCallback } from 'react'
import { type IntersectionEffectOptions, useOnInView } from 'react-intersection-observer'
import { useLatest } from './use-latest.js'

/** What counts as in view, see the browser's IntersectionObserver. */
export interface InViewOptions extends Omit<IntersectionEffectOptions, 'skip' | 'triggerOnce'> {
  /**
   * The part of the element that has to be in view, from 0 to 1.
   * @default 0.1
   */
  readonly threshold?: number | number[]
  /**
   * The margin around the viewport that counts as in view.
   * @default '50px'
   */
  readonly rootMargin?: string
}

/** Goes onto the element that is watched. */
export type InViewRef = (element: Element | null) => (() => void) | undefined

export function canTellInView(): boolean {
  return typeof IntersectionObserver !== 'undefined'
}

export function useInView(onInView: (isInView: boolean) => void, options: InViewOptions = {}): InViewRef {
  const latest = useLatest(onInView)
  const observe = useOnInView<Element>((isInView) => latest.current(isInView), {
    threshold: 0.1,
    rootMargin: '50px',
    ...options,
    skip: !canTellInView(),
  })
  // An element that goes away tells nobody that it left the view. React 19 calls what is returned, 18 calls with null.
  return useCallback(
    (element) => {
      const stop = observe(element)
      if (!element) latest.current(false)
      else if (!canTellInView()) latest.current(true)
      if (!stop) return undefined
      return () => {
        stop()
        latest.current(false)
      }
    },
    [observe, latest],
  )
}
