import { expect, test, vi } from 'vitest'
import { judge, retryAfterMs } from './answer.js'

const problem = (status: number, body: object = {}, headers: Record<string, string> = {}) =>
  judge(status, new Headers(headers), JSON.stringify(body))

test('202 with a position is acceptance', () => {
  const body = { accepted: 2, duplicates: 1, cursor: 'k3f9.7', duplicate: false }
  expect(problem(202, body)).toEqual({ kind: 'accepted', duplicates: 1, cursor: 'k3f9.7' })
})

test.each([408, 425, 429, 500, 502, 503, 504])('%d is tried again', (status) => {
  expect(problem(status)).toMatchObject({ kind: 'later', maybeAccepted: status >= 500 })
})

test.each([301, 307, 401, 403, 404, 405])('%d is nothing the events could help', (status) => {
  expect(problem(status)).toMatchObject({ kind: 'misconfigured', maybeAccepted: false })
})

test.each([200, 202, 204])('%d without a position is not a gateway', (status) => {
  expect(judge(status, new Headers(), '<html>')).toMatchObject({ kind: 'misconfigured', maybeAccepted: true })
})

test('the events that a 422 names are bad, each with its first problem', () => {
  const errors = [
    { path: 'events[0].data', expected: 'a JSON object' },
    { path: 'events[3].productId', expected: 'a string' },
    { path: 'events[3].type', expected: 'one of' },
    { path: 'events[12]', expected: 'an object' },
  ]
  const problems = new Map([
    [0, 'data: a JSON object'],
    [3, 'productId: a string'],
    [12, 'event: an object'],
  ])
  expect(problem(422, { code: 'invalid_event', errors })).toEqual({ kind: 'bad', problems })
})

test.each([400, 413, 415, 422])('%d that names no event refuses the request', (status) => {
  const body = {
    code: 'some_code',
    detail: 'said by the gateway',
    errors: [{ path: 'events', expected: '1 to 500' }],
  }
  expect(problem(status, body)).toEqual({
    kind: 'refused',
    message: `${status} some_code said by the gateway`,
  })
})

test('Retry-After is read as seconds or as a date', () => {
  vi.useFakeTimers({ now: Date.parse('2026-01-01T00:00:00Z') })
  expect(problem(503, {}, { 'retry-after': '7' })).toMatchObject({ afterMs: 7_000 })
  expect(retryAfterMs('Thu, 01 Jan 2026 00:00:30 GMT')).toBe(30_000)
  expect(retryAfterMs('Wed, 31 Dec 2025 00:00:00 GMT')).toBe(0)
  expect(retryAfterMs('Fri, 01 Jan 2027 00:00:00 GMT')).toBe(3_600_000)
  expect(retryAfterMs('soon')).toBeUndefined()
  expect(retryAfterMs(null)).toBeUndefined()
  vi.useRealTimers()
})
