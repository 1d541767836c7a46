/** The newest value of a prop, for callbacks that outlive the render they were made in. */
import { useEffect, useRef } from 'react'

// The type is spelled out, because React 18's own one says that it may be null.
export function useLatest<Value>(value: Value): { readonly current: Value } {
  const ref = useRef(value)
  // Declared before the effects that read it, so it is written before they run.
  useEffect(() => {
    ref.current = value
  })
  return ref
}
