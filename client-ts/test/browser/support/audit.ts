/**
 * Looks over a page as somebody would who cannot see it well: what has no name, what is too pale, what sticks out. Runs in
 * the page, so it uses nothing from outside itself.
 */
import type { Page } from 'playwright-core'

/** Everything that is wrong, in words; empty if nothing is. */
export const audit = (page: Page): Promise<readonly string[]> => page.evaluate(findFaults)

function findFaults(): readonly string[] {
  const faults: string[] = []
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true })

  function rgba(colour: string): readonly number[] {
    if (!canvas) return [0, 0, 0, 255]
    canvas.clearRect(0, 0, 1, 1)
    canvas.fillStyle = colour
    canvas.fillRect(0, 0, 1, 1)
    return [...canvas.getImageData(0, 0, 1, 1).data]
  }

  function luminance(colour: readonly number[]): number {
    const [r = 0, g = 0, b = 0] = colour.map((channel) => {
      const c = channel / 255
      return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }

  function backgroundOf(element: Element | null): readonly number[] {
    for (let at = element; at; at = at.parentElement) {
      const colour = rgba(getComputedStyle(at).backgroundColor)
      if ((colour[3] ?? 0) > 200) return colour
    }
    return [255, 255, 255, 255]
  }

  function contrast(element: Element): number {
    const [text, back] = [rgba(getComputedStyle(element).color), backgroundOf(element)].map(luminance)
    return (Math.max(text ?? 0, back ?? 0) + 0.05) / (Math.min(text ?? 0, back ?? 0) + 0.05)
  }

  const isShown = (element: Element) => element.checkVisibility() && element.getBoundingClientRect().width > 1
  const words = (element: Element) => (element.textContent ?? '').trim().slice(0, 40)

  if (document.documentElement.scrollWidth > innerWidth) {
    faults.push(`the page is ${document.documentElement.scrollWidth} wide in a window of ${innerWidth}`)
  }
  for (const element of document.querySelectorAll('a, button, input, select, textarea, summary')) {
    if (!isShown(element) || element.closest('[aria-hidden="true"]')) continue
    const label =
      element.ariaLabel ?? (element as HTMLInputElement).labels?.[0]?.textContent ?? element.textContent
    if (!label?.trim()) faults.push(`no name: ${element.outerHTML.slice(0, 90)}`)
  }
  for (const element of document.querySelectorAll('body *')) {
    const hasText = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent?.trim())
    const isOff = element.closest(':disabled, svg, .hidden, .skip')
    if (!hasText || isOff || !isShown(element)) continue
    if (element.getBoundingClientRect().left < 0) faults.push(`cut off at the left: ${words(element)}`)
    const size = Number.parseFloat(getComputedStyle(element).fontSize)
    const ratio = contrast(element)
    if (ratio < (size >= 24 ? 3 : 4.5)) faults.push(`contrast ${ratio.toFixed(1)}: ${words(element)}`)
  }
  return faults
}
