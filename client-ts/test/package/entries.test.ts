import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { builtFile, ENTRIES, PACKAGE } from './support/exports.js'

const { dependencies, peerDependencies } = JSON.parse(
  readFileSync(new URL('package.json', PACKAGE), 'utf8'),
) as { dependencies: object; peerDependencies: object }

const OF_REACT = ['./react-query', './swr']
/** What a shop has installed if it uses the entry. The core loads socket.io-client, too, but only when it connects. */
const PACKAGES: Record<string, readonly string[]> = {
  './sse': ['eventsource-parser'],
  './react-query': ['@tanstack/react-query', 'react', 'react-intersection-observer', 'react/jsx-runtime'],
  './swr': ['react', 'react-intersection-observer', 'react/jsx-runtime', 'swr'],
  './zustand': ['zustand'],
}

test.each(ENTRIES)('%s is there, and so are its types', (entry) => {
  expect(existsSync(builtFile(entry))).toBe(true)
  expect(existsSync(new URL(builtFile(entry).href.replace(/\.js$/, '.d.ts')))).toBe(true)
})

describe("'use client'", () => {
  test.each(OF_REACT)('is the first line of %s', (entry) => {
    expect(firstLine(entry)).toMatch(/^["']use client["'];?$/)
  })

  test.each(['.', './socket-io', './sse', './query', './publisher', './testing'])('is not in %s', (entry) => {
    for (const file of loaded(entry)) expect(readFileSync(file, 'utf8')).not.toMatch(/use client/)
  })
})

test.each(ENTRIES)('%s loads the packages it needs, and no other', (entry) => {
  const names = [...loaded(entry)].flatMap(importsOf).filter((name) => !name.startsWith('.'))
  expect([...new Set(names)].sort()).toEqual(PACKAGES[entry] ?? [])
})

test('every package that is loaded is a dependency or a peer', () => {
  const known = Object.keys({ ...dependencies, ...peerDependencies })
  const needed = Object.values(PACKAGES)
    .flat()
    .map((name) => name.replace('/jsx-runtime', ''))
  expect(known).toEqual(expect.arrayContaining([...needed, 'socket.io-client']))
})

test.each(['LICENSE-APACHE', 'LICENSE-MIT'])('%s is that of the repository', (name) => {
  const [own, above] = [new URL(name, PACKAGE), new URL(`../${name}`, PACKAGE)]
  expect(readFileSync(own, 'utf8')).toBe(readFileSync(above, 'utf8'))
})

test.each(ENTRIES)('%s may be imported where there is no page', async (entry) => {
  await import(builtFile(entry).href)
})

function firstLine(entry: string): string | undefined {
  return readFileSync(builtFile(entry), 'utf8').split('\n')[0]
}

/** The files that an entry loads at once. */
function loaded(entry: string): Set<URL> {
  const files = new Map([[builtFile(entry).href, builtFile(entry)]])
  for (const file of files.values()) {
    for (const name of importsOf(file).filter((name) => name.startsWith('.'))) {
      const next = new URL(name, file)
      files.set(next.href, next)
    }
  }
  return new Set(files.values())
}

/** Of the static kind, as the bundler writes them: one on a line. */
function importsOf(file: URL): string[] {
  const lines = readFileSync(file, 'utf8').matchAll(
    /^(?:import|export)\b(?:[^"';]*\bfrom )? ?["']([^"']+)["'];?$/gm,
  )
  return [...lines].map(([, name]) => name as string)
}
