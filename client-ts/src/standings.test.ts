import { expect, test } from 'vitest'
import { createStandings } from './standings.js'

test('of the products that were left, those used last are remembered', () => {
  const standings = createStandings(3)
  for (const productId of ['wanted', 'a', 'b', 'c', 'a']) standings.of(productId)
  standings.prune((productId) => productId === 'wanted')
  expect(['wanted', 'a', 'b', 'c'].map((productId) => standings.peek(productId) !== undefined)).toEqual([
    true,
    true,
    false,
    true,
  ])
})

test('what is wanted is never forgotten', () => {
  const standings = createStandings(1)
  standings.of('a').heardAtMs = 1
  standings.of('b')
  standings.prune(() => true)
  expect(standings.of('a').heardAtMs).toBe(1)
})
