/** Tells screen readers what changed by itself. What was there from the start is not news. */
import { useState } from 'react'

export function Announce({ text }: { text: string }) {
  const [first] = useState(text)
  const [isNews, setNews] = useState(false)
  if (!isNews && text !== first) setNews(true)
  return (
    <p className="hidden" role="status">
      {isNews ? text : ''}
    </p>
  )
}
