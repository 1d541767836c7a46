/** The newest value of a prop, for callbacks that outlive the render they were made in. */
import { type RefObject, useEffect, useRef } from 'react'

export function useLatest<Value>(value: Value): RefObject<Value> {
  const ref = useRef(value)
  // Declared before the effects that read it, so it is written before they run.
  useEffect(() => {
    ref.current = value
  })
  return ref
}
