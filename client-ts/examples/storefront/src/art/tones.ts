/** The glazes, woods and cloths that products are drawn in. */
export const TONES: Readonly<Record<string, string>> = {
  chalk: '#f6f3ec',
  bone: '#e9e1d2',
  sand: '#d9c19d',
  oak: '#cda26b',
  walnut: '#7b5337',
  clay: '#c5673f',
  tomato: '#d8472f',
  blush: '#e5aca4',
  plum: '#6b3a53',
  butter: '#f0cd6d',
  brass: '#c99b3c',
  moss: '#5f6e46',
  sage: '#a8b898',
  mint: '#bcd8c8',
  sky: '#93b8d0',
  cobalt: '#2d4cb3',
  ink: '#262a31',
  smoke: '#7d858c',
}

export const toneOf = (name: string): string => TONES[name] ?? '#bbbbbb'

/** Mixes a colour towards black (below 0) or white (above 0). */
export function shade(colour: string, amount: number): string {
  const target = amount < 0 ? 0 : 255
  const mixed = [1, 3, 5].map((at) => {
    const channel = Number.parseInt(colour.slice(at, at + 2), 16)
    return Math.round(channel + (target - channel) * Math.abs(amount))
  })
  return `#${mixed.map((channel) => channel.toString(16).padStart(2, '0')).join('')}`
}
