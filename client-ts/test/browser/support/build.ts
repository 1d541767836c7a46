/** Builds the example shop once for all files of tests, with React as it is in development. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { buildPages } from '../../../examples/storefront/server/pages.js'

declare module 'vitest' {
  export interface ProvidedContext {
    /** The folder of the built pages. */
    pages: string
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const pages = await mkdtemp(join(tmpdir(), 'shelfcast-shop-'))
  await buildPages(pages, 'development')
  project.provide('pages', pages)
  return () => rm(pages, { recursive: true, force: true })
}
