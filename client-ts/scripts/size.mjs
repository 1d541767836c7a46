// What each entry costs a page: minified and compressed, with what it imports at once; not the packages that a shop has
// anyway (peers, dependencies), nor what is loaded only when it is needed. Prints a table; fails above a budget.
import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { build } from 'tsdown'

/** Bytes after gzip of what an entry adds to a page that has the core; of the core itself, all of it. */
const BUDGETS = {
  '.': 7_500,
  './socket-io': 500, // the core has most of it, for `url`
  './sse': 3_000,
  './query': 3_500,
  './react-query': 5_000,
  './swr': 4_500,
  './zustand': 1_000,
  './publisher': 4_500, // not for pages, but for cold starts
}

const { exports } = JSON.parse(readFileSync('package.json', 'utf8'))
const names = Object.keys(exports).filter((name) => name !== './package.json' && name !== './testing')
let isTooLarge = false

console.log('gzip            alone  beside the core  budget')
for (const name of names) {
  const { alone, beside } = await sizesOf(name)
  const counted = name === '.' ? alone : beside
  const budget = BUDGETS[name] ?? 0
  const verdict = counted > budget ? '  TOO LARGE' : ''
  isTooLarge ||= counted > budget
  console.log(
    `${name.padEnd(14)} ${cell(alone, 6)} ${name === '.' ? cell('', 16) : cell(beside, 16)} ${cell(budget, 7)}${verdict}`,
  )
}
process.exitCode = isTooLarge ? 1 : 0

async function sizesOf(name) {
  const [{ chunks }] = await build({
    entry: { core: 'src/index.ts', entry: sourceOf(name) },
    config: false,
    format: 'esm',
    platform: 'neutral',
    target: 'es2022',
    minify: true,
    dts: false,
    write: false,
    clean: false, // what was built stays
    logLevel: 'silent',
  })
  const own = atOnce(chunks, 'entry')
  const core = atOnce(chunks, 'core')
  return { alone: gzipped(own), beside: gzipped(own.filter((chunk) => !core.includes(chunk))) }
}

function sourceOf(name) {
  const base = name === '.' ? 'index' : name.slice('./'.length)
  return `src/${base}.${base === 'react-query' ? 'tsx' : 'ts'}`
}

/** The chunk of that name and those that it imports statically, and they in turn. */
function atOnce(chunks, name) {
  const byFile = new Map(chunks.map((chunk) => [chunk.fileName, chunk]))
  const found = new Set(chunks.filter((chunk) => chunk.isEntry && chunk.name === name))
  for (const chunk of found)
    for (const file of chunk.imports) if (byFile.has(file)) found.add(byFile.get(file))
  return [...found]
}

/** Together, as one file of a page would be: each chunk by itself compresses worse. */
function gzipped(chunks) {
  return chunks.length === 0 ? 0 : gzipSync(chunks.map((chunk) => chunk.code).join('\n'), { level: 9 }).length
}

function cell(value, width) {
  return value.toLocaleString('en').padStart(width)
}
