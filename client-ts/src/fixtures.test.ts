/** One set of JSON files says what is on the wire: to the gateway's tests, to PROTOCOL.md, and to this client. */
import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { compareCursors } from './cursor.js'
import { readBatch, readConnected, readError, readJoined, readPosition, readResync } from './wire.js'

const FOLDER = new URL('../fixtures/', import.meta.url)
const NAMES = readdirSync(FOLDER)
const fixture = (name: string): unknown => JSON.parse(readFileSync(new URL(name, FOLDER), 'utf8'))

describe('what comes is understood, all of it', () => {
  test.each([
    ['batch.json', readBatch],
    ['replay.json', readBatch],
    ['empty-batch.json', readBatch],
    ['resync-required.json', readResync],
    ['position.json', readPosition],
    ['connected.json', readConnected],
    ['error.json', readError],
  ])('%s', (name, read) => {
    expect(read(fixture(name))).toEqual({ value: fixture(name) })
  })

  test('join-products-answer.json', () => {
    const { ok, ...answer } = fixture('join-products-answer.json') as Record<string, unknown>
    expect(ok).toBe(true)
    expect(readJoined(fixture('join-products-answer.json'))).toEqual({
      value: { ...answer, code: undefined },
    })
  })
})

test('every cursor in them is one, of one epoch', () => {
  const cursors = NAMES.flatMap(
    (name) => readFileSync(new URL(name, FOLDER), 'utf8').match(/k3f9m2qa[^"]*/g) ?? [],
  )
  expect(cursors.length).toBeGreaterThan(10)
  for (const cursor of cursors) expect(compareCursors(cursor, 'k3f9m2qa.0'), cursor).toBeGreaterThanOrEqual(0)
})

test('PROTOCOL.md shows each of them, and as it is', () => {
  const page = readFileSync(new URL('../PROTOCOL.md', import.meta.url), 'utf8')
  const shown = [...page.matchAll(/<!-- fixtures\/(\S+) -->\n```json\n([\s\S]*?)```/g)]
  expect(shown.map(([, name]) => name).sort()).toEqual(NAMES)
  // As text: the order of the fields counts too.
  for (const [, name = '', json = ''] of shown) {
    expect(JSON.stringify(JSON.parse(json)), name).toBe(JSON.stringify(fixture(name)))
  }
  expect(page.match(/```json/g)).toHaveLength(shown.length)
})
