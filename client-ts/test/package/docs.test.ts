import { expect, test } from 'vitest'
import { docOf, ENTRIES, exportsOf, optionsOf } from './support/exports.js'

test.each(ENTRIES)('every name that %s exports says what it is', (entry) => {
  const silent = exportsOf(entry).filter((symbol) => docOf(symbol) === '')
  expect(silent.map(({ name }) => name)).toEqual([])
})

const options = new Map(
  ENTRIES.flatMap(exportsOf)
    .filter(({ name }) => /(Options|Keys|Props)$/.test(name))
    .map((symbol) => [symbol.name, optionsOf(symbol)]),
)

test.each([...options.keys()])(
  'every option of %s says what it is for, and what it is by default',
  (name) => {
    const incomplete = (options.get(name) ?? []).filter(
      ({ doc, isOptional, byDefault, holds, name: option }) =>
        option !== 'children' &&
        (doc === '' || (isOptional && byDefault === undefined && holds === undefined)),
    )
    expect(incomplete.map((option) => option.name)).toEqual([])
  },
)

test('options are found at all', () => {
  expect([...options.keys()]).toEqual(
    expect.arrayContaining(['ProductSyncOptions', 'PublisherOptions', 'QueryKeys']),
  )
})
