/** Counts how often each card was rendered, for the tests of "scrolling renders nothing". Only development builds count. */
import type { ProfilerOnRenderCallback } from 'react'

export const renders = new Map<string, number>()

export const countRender: ProfilerOnRenderCallback = (id) => {
  renders.set(id, (renders.get(id) ?? 0) + 1)
}
