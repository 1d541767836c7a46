/**
 * Things made on a wheel or a lathe: half a profile is given, the other half is its mirror. Everything stands on the
 * floor line of a 400 by 500 picture and is lit from the upper left.
 */
import { type ReactNode, useId } from 'react'
import { shade } from './tones'

/** Half the width at a height, from top to bottom. `sharp` makes a corner, otherwise the line runs smoothly through. */
export type ProfilePoint = readonly [halfWidth: number, y: number, sharp?: 'sharp' | undefined]

export const MIDDLE = 200
export const FLOOR = 400
/** How much a circle is flattened: we look a little from above. */
const TILT = 0.13

interface TurnedProps {
  profile: readonly ProfilePoint[]
  colour: string
  /** What is seen through the opening; missing: closed at the top. */
  inside?: string
  /** A second glaze, from this height down or, if negative, from the top to this height. */
  dip?: { colour: string; at: number; from: 'top' | 'bottom' }
  /** Glass: one looks through it. */
  clear?: boolean
  x?: number
  children?: ReactNode
}

export function Turned({ profile, colour, inside, dip, clear, x = MIDDLE, children }: TurnedProps) {
  const id = useId()
  const outline = outlineOf(profile)
  const [topRadius, topY] = first(profile)
  return (
    <g transform={`translate(${x} 0)`}>
      <defs>
        <linearGradient id={`${id}l`} x1="0" x2="1" y1="0" y2="0">
          <stop offset="0" stopColor="#000" stopOpacity={clear ? 0.16 : 0.2} />
          <stop offset=".22" stopColor="#fff" stopOpacity={clear ? 0.5 : 0.22} />
          <stop offset=".36" stopColor="#fff" stopOpacity={clear ? 0.05 : 0.1} />
          <stop offset=".62" stopColor="#000" stopOpacity={clear ? 0 : 0.05} />
          <stop offset=".9" stopColor="#000" stopOpacity={clear ? 0.12 : 0.36} />
          <stop offset="1" stopColor="#000" stopOpacity={clear ? 0.2 : 0.26} />
        </linearGradient>
        <clipPath id={`${id}c`}>
          <path d={outline} />
        </clipPath>
      </defs>
      {clear && <Rim radius={topRadius} y={topY} colour={colour} opacity={0.4} />}
      <path d={outline} fill={colour} fillOpacity={clear ? 0.5 : 1} />
      <g clipPath={`url(#${id}c)`}>
        {dip && <path d={dipOf(dip.at, dip.from)} fill={dip.colour} />}
        {children}
        <rect
          x={-widest(profile)}
          y={topY - 40}
          width={2 * widest(profile)}
          height={bottomOf(profile) - topY + 80}
          fill={`url(#${id}l)`}
        />
      </g>
      {inside && !clear && (
        <>
          <Rim radius={topRadius} y={topY} colour={shade(dip?.from === 'top' ? dip.colour : colour, 0.25)} />
          <Rim radius={topRadius - 4} y={topY + 1} colour={inside} />
        </>
      )}
    </g>
  )
}

function Rim({
  radius,
  y,
  colour,
  opacity = 1,
}: {
  radius: number
  y: number
  colour: string
  opacity?: number
}) {
  return (
    <ellipse cx="0" cy={y} rx={radius} ry={Math.max(radius * TILT, 2)} fill={colour} fillOpacity={opacity} />
  )
}

/** The soft shadow below something that stands. */
export function Shadow({ width, x = MIDDLE, y = FLOOR }: { width: number; x?: number; y?: number }) {
  const id = useId()
  return (
    <>
      <defs>
        <radialGradient id={id}>
          <stop offset="0" stopColor="#000" stopOpacity=".42" />
          <stop offset=".55" stopColor="#000" stopOpacity=".18" />
          <stop offset="1" stopColor="#000" stopOpacity="0" />
        </radialGradient>
      </defs>
      <ellipse cx={x + width * 0.14} cy={y + 4} rx={width * 0.72} ry={width * 0.1 + 5} fill={`url(#${id})`} />
    </>
  )
}

/** A ring around a turned thing at a height, as a painted line. */
export function Band({
  y,
  width,
  colour,
  thick = 8,
}: {
  y: number
  width: number
  colour: string
  thick?: number
}) {
  return (
    <path
      d={`M${-width} ${y}A${width} ${width * TILT} 0 0 0 ${width} ${y}`}
      fill="none"
      stroke={colour}
      strokeWidth={thick}
    />
  )
}

/** Left side down, a flattened half circle, right side up, and over the opening's back. */
export function outlineOf(profile: readonly ProfilePoint[]): string {
  const left = profile.map(([r, y, sharp]) => ({ x: -r, y, sharp: sharp === 'sharp' }))
  const right = profile.map(([r, y, sharp]) => ({ x: r, y, sharp: sharp === 'sharp' })).reverse()
  const [topRadius] = first(profile)
  const bottomRadius = profile[profile.length - 1]?.[0] ?? 0
  const start = left[0]
  const end = right[0]
  if (!start || !end) return ''
  return [
    `M${start.x} ${start.y}`,
    smooth(left),
    `A${bottomRadius} ${bottomRadius * TILT} 0 0 0 ${end.x} ${end.y}`,
    smooth(right),
    `A${topRadius} ${topRadius * TILT} 0 0 0 ${start.x} ${start.y}Z`,
  ].join('')
}

interface Point {
  x: number
  y: number
  sharp: boolean
}

/** A curve through all points: at each its direction is that of its neighbours (Catmull and Rom's spline). */
function smooth(points: readonly Point[]): string {
  let path = ''
  for (let i = 0; i + 1 < points.length; i++) {
    const [a, b] = [points[i], points[i + 1]]
    if (!a || !b) continue
    const before = a.sharp ? a : (points[i - 1] ?? a)
    const after = b.sharp ? b : (points[i + 2] ?? b)
    const c1 = a.sharp ? a : { x: a.x + (b.x - before.x) / 6, y: a.y + (b.y - before.y) / 6 }
    const c2 = b.sharp ? b : { x: b.x - (after.x - a.x) / 6, y: b.y - (after.y - a.y) / 6 }
    path += `C${round(c1.x)} ${round(c1.y)} ${round(c2.x)} ${round(c2.y)} ${b.x} ${b.y}`
  }
  return path
}

/** The edge of a glaze is never quite straight. */
function dipOf(at: number, from: 'top' | 'bottom'): string {
  const edge = `M-300 ${at}C-160 ${at + 14} -90 ${at - 10} -20 ${at + 5}S130 ${at + 16} 300 ${at - 4}`
  return from === 'bottom' ? `${edge}V600H-300Z` : `${edge}V-100H-300Z`
}

const first = (profile: readonly ProfilePoint[]): ProfilePoint => profile[0] ?? [0, 0]
const widest = (profile: readonly ProfilePoint[]): number => Math.max(...profile.map(([r]) => r))
const bottomOf = (profile: readonly ProfilePoint[]): number => profile[profile.length - 1]?.[1] ?? 0
const round = (n: number): number => Math.round(n * 10) / 10
