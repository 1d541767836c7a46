import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { beforeAll, expect, test } from 'vitest'
import { ENTRIES, PACKAGE } from './support/exports.js'
import { tableNames, withTables } from './support/options-table.js'

const README = new URL('README.md', PACKAGE)
const readme = readFileSync(README, 'utf8')

test('the tables of options are those of the source (npm run docs writes them)', () => {
  const wanted = withTables(readme)
  if (process.env.UPDATE_README) writeFileSync(README, wanted)
  else expect(readme).toBe(wanted)
  expect(tableNames(readme)).toEqual(expect.arrayContaining(['ProductSyncOptions', 'PublisherOptions']))
})

test('every entry has a row in the first table', () => {
  const rows = [...readme.matchAll(/^\| `@shelfcast\/client(.*?)` \|/gm)].map(([, path]) => `.${path}`)
  expect(rows.sort()).toEqual([...ENTRIES].sort())
})

// Inside the package, so that its own name leads to what was built, as it does for a shop.
const FOLDER = new URL('test/package/.readme/', PACKAGE)

beforeAll(() => {
  rmSync(FOLDER, { recursive: true, force: true })
  mkdirSync(FOLDER)
  cpSync(new URL('support/shop.d.ts', import.meta.url), new URL('shop.d.ts', FOLDER))
  const blocks = readme.matchAll(/^```(tsx?)\n([\s\S]*?)^```$/gm)
  const files = ['shop.d.ts']
  for (const [, language, code] of blocks) {
    const file = `example-${files.length}.${language}`
    writeFileSync(new URL(file, FOLDER), `${code}\nexport {}\n`)
    files.push(file)
  }
  const compilerOptions = {
    target: 'ES2022',
    lib: ['ES2022', 'DOM', 'DOM.Iterable'],
    module: 'ESNext',
    moduleResolution: 'bundler',
    jsx: 'react-jsx',
    types: ['node'],
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    skipLibCheck: true,
  }
  writeFileSync(new URL('tsconfig.json', FOLDER), JSON.stringify({ compilerOptions, files }))
})

test.each(['typescript-5.9', 'typescript', 'typescript-7'])(
  'every example compiles against the built package (%s)',
  { timeout: 120_000 },
  async (compiler) => {
    const tsc = fileURLToPath(new URL(`node_modules/${compiler}/bin/tsc`, PACKAGE))
    const checked = promisify(execFile)(process.execPath, [tsc, '-p', fileURLToPath(FOLDER)])
    const errors = await checked.then(
      () => '',
      ({ stdout }: { stdout: string }) => stdout,
    )
    expect(errors).toBe('')
  },
)
