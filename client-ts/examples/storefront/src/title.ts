import { useEffect } from 'react'

/** The title of the document: what the page is, then whose. */
export function useTitle(title: string | undefined): void {
  useEffect(() => {
    document.title = title ? `${title} · Vitrine` : 'Vitrine'
  }, [title])
}
