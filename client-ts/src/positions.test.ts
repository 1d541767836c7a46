import { describe, expect, test } from 'vitest'
import { randomOf } from '../test/support/random.js'
import { parseCursor } from './cursor.js'
import { answered, asked, heard, lost, type Place, reached, refetched, UNKNOWN } from './positions.js'
import type { BatchedProductUpdate } from './types.js'

const at = (n: number | null, more: Partial<Place> = {}): Place => ({
  at: n === null ? null : `aaaa.${n}`,
  beyond: null,
  asking: false,
  ...more,
})

function batch(n: number, previous: number, more: Partial<BatchedProductUpdate> = {}): BatchedProductUpdate {
  const event = { productId: 'p', type: 'price_update', data: {}, timestamp: '' } as const
  const told = { productId: 'p', events: [event], timestamp: '', count: 1, spreadMs: 0 }
  return { ...told, cursor: `aaaa.${n}`, previousCursor: `aaaa.${previous}`, ...more }
}

describe('a live batch', () => {
  test('that follows on what was told is news', () => {
    expect(heard(at(5), batch(9, 5))).toEqual({ verdict: 'news', place: at(9) })
    expect(heard(at(7), batch(9, 5))).toEqual({ verdict: 'news', place: at(9) })
  })

  test('that was told is a duplicate', () => {
    expect(heard(at(9), batch(9, 5))).toEqual({ verdict: 'duplicate', place: at(9) })
  })

  test('that does not follow on what was told comes from beyond a hole, and the place stays before it', () => {
    expect(heard(at(4), batch(9, 5))).toEqual({
      verdict: 'hole',
      place: at(4, { beyond: 'aaaa.9', asking: true }),
    })
  })

  test('of another life of the log is beyond a hole too', () => {
    const other = batch(1, 0, { cursor: 'bbbb.1', previousCursor: 'bbbb.0' })
    expect(heard(at(4), other)).toMatchObject({ verdict: 'hole', place: { at: 'aaaa.4', beyond: 'bbbb.1' } })
  })

  test('sets a place that was not known', () => {
    expect(heard(UNKNOWN, batch(9, 5))).toEqual({ verdict: 'news', place: at(9) })
  })

  test('sets no place while the first answer is awaited: what it brings may be older', () => {
    const joining = asked(UNKNOWN)
    const { place } = heard(joining, batch(9, 5))
    expect(lost(place)).toEqual(UNKNOWN)
    expect(answered(place, 'aaaa.8')).toEqual(at(9))
  })

  test('without events is a word to refetch, wherever it stands', () => {
    expect(heard(at(12), batch(9, 9, { events: [] }))).toEqual({ verdict: 'news', place: at(9) })
  })

  test('of a gateway without cursors is news', () => {
    const plain = batch(0, 0, { cursor: '', previousCursor: '' })
    expect(heard(at(4), plain)).toEqual({ verdict: 'news', place: at(4) })
  })
})

describe('a replay', () => {
  test('is told while an answer is awaited, also if it is older than the place', () => {
    const asking = at(9, { asking: true })
    expect(heard(asking, batch(5, 3, { replay: true }))).toEqual({ verdict: 'news', place: asking })
  })

  test('fills a hole up to where it reaches', () => {
    const hole = at(4, { beyond: 'aaaa.9', asking: true })
    expect(heard(hole, batch(6, 4, { replay: true })).place).toEqual({ ...hole, at: 'aaaa.6' })
  })

  test('that nobody asked for and that was told is a duplicate', () => {
    expect(heard(at(9), batch(5, 3, { replay: true })).verdict).toBe('duplicate')
  })
})

describe('an answer', () => {
  test('moves the place to the newest that was told', () => {
    expect(answered(at(4, { beyond: 'aaaa.9', asking: true }), 'aaaa.7')).toEqual(at(9))
    expect(answered(at(4, { beyond: 'aaaa.6', asking: true }), 'aaaa.7')).toEqual(at(7))
    expect(answered(at(4, { asking: true }), undefined)).toEqual(at(4))
  })

  test('that is lost leaves the hole where it was', () => {
    expect(lost(at(4, { beyond: 'aaaa.9', asking: true }))).toEqual(at(4))
  })
})

describe('a position', () => {
  test('moves a place up, never down', () => {
    expect(reached(at(4), 'aaaa.9', undefined)).toEqual({ behind: false, place: at(9) })
    expect(reached(at(12), 'aaaa.9', 'aaaa.8')).toEqual({ behind: false, place: at(12) })
    expect(reached(UNKNOWN, 'aaaa.9', undefined)).toEqual({ behind: false, place: at(9) })
  })

  test('finds what is missing', () => {
    expect(reached(at(4), 'aaaa.9', 'aaaa.5')).toEqual({ behind: true, place: at(4, { asking: true }) })
    expect(reached(at(4), 'bbbb.9', undefined)).toMatchObject({ behind: true })
  })

  test('says nothing of a product that is being asked about', () => {
    const asking = at(4, { asking: true })
    expect(reached(asking, 'aaaa.9', 'aaaa.9')).toEqual({ behind: false, place: asking })
  })
})

test('a word to refetch sets the place, up or down', () => {
  expect(refetched(at(12), 'aaaa.9')).toEqual(at(9))
  expect(refetched(at(12), 'bbbb.1')).toEqual({ ...UNKNOWN, at: 'bbbb.1' })
})

/**
 * One product, one gateway that is right, and a network that loses live batches, repeats them, delays everything and
 * breaks. Whatever it does, in the end every event was told, or a word to refetch came after it.
 */
function play(seed: number) {
  const random = randomOf(seed)
  const chance = (part: number) => random() < part
  let epoch = 0
  let log: number[] = [] // the product's own events; others only count
  let n = 0
  const told = new Set<string>()
  let refetchedUpTo = 0 // in events of all epochs
  const events: { readonly cursor: string; readonly serial: number }[] = []
  const cursor = (of: number) => `e${epoch}.${of}`

  let place = answered(asked(UNKNOWN), cursor(0)) // joined, from now on
  let wire: (() => void)[] = []
  let beatFrom = 0
  let isAsking = false

  const message = (m: number, previous: number, replay: boolean) => {
    const of = batch(0, 0, {
      cursor: cursor(m),
      previousCursor: cursor(previous),
      ...(replay ? { replay } : {}),
    })
    const name = cursor(m)
    return () => {
      const result = heard(place, of)
      place = result.place
      if (result.verdict !== 'duplicate') told.add(name)
    }
  }
  const word = () => {
    const [to, upTo] = [cursor(n), events.length]
    return () => {
      place = refetched(place, to)
      refetchedUpTo = Math.max(refetchedUpTo, upTo)
    }
  }

  function ask() {
    isAsking = true
    const from = place.at
    place = asked(place)
    const { epoch: fromEpoch, n: fromN } = parseCursor(from ?? '') ?? { epoch: '', n: 0 }
    if (fromEpoch !== `e${epoch}` || chance(0.1)) wire.push(word())
    else {
      const missed = log.filter((m) => m > fromN)
      for (const m of missed) wire.push(message(m, log.filter((k) => k < m).at(-1) ?? 0, true))
    }
    const to = cursor(n)
    wire.push(() => {
      place = answered(place, to)
      isAsking = false
    })
  }

  function beat() {
    const newest = log.filter((m) => m > beatFrom).at(-1)
    const [to, listed] = [cursor(n), newest === undefined ? undefined : cursor(newest)]
    beatFrom = n
    wire.push(() => {
      place = reached(place, to, listed).place
    })
  }

  function cut() {
    wire = []
    isAsking = false
    place = lost(place)
    beatFrom = n
    ask()
  }

  const steps = [
    () => {
      n += 1 // some other product
    },
    () => {
      const previous = log.at(-1) ?? 0
      n += 1
      log.push(n)
      events.push({ cursor: cursor(n), serial: events.length + 1 })
      const tell = message(n, previous, false)
      if (chance(0.8)) wire.push(tell)
      if (chance(0.1)) wire.push(tell)
    },
    () => wire.shift()?.(),
    () => wire.shift()?.(),
    () => wire.shift()?.(),
    beat,
    () => {
      if (chance(0.2)) cut()
    },
    () => {
      if (!chance(0.1)) return
      epoch += 1
      log = []
      n = 0
      beatFrom = 0
      wire.push(word())
    },
  ]
  for (let step = 0; step < 80; step += 1) {
    steps[Math.floor(random() * steps.length)]?.()
    if (place.asking && !isAsking) ask()
  }
  // The weather clears.
  for (let turn = 0; turn < 3; turn += 1) {
    beat()
    while (wire.length > 0) {
      wire.shift()?.()
      if (place.asking && !isAsking) ask()
    }
  }
  const silent = events.filter((event) => !told.has(event.cursor) && event.serial > refetchedUpTo)
  return { silent: silent.map((event) => event.cursor), place, head: cursor(n) }
}

test('no gap is silent, whatever the network does', { timeout: 60_000 }, () => {
  for (let seed = 1; seed <= 2_000; seed += 1) {
    const { silent, place, head } = play(seed)
    expect({ seed, silent }).toEqual({ seed, silent: [] })
    expect({ seed, at: place.at }).toEqual({ seed, at: head })
  }
})
