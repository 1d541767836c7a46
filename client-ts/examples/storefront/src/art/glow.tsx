/** Light, and the candles that give the oldest of it. */
import { useId } from 'react'
import type { FormProps } from './form'
import { FLOOR, MIDDLE, Shadow, Turned } from './turned'

export function Glow({
  x = MIDDLE,
  y,
  size,
  strength = 0.75,
}: {
  x?: number
  y: number
  size: number
  strength?: number
}) {
  const id = useId()
  return (
    <>
      <defs>
        <radialGradient id={id}>
          <stop offset="0" stopColor="#fff3cf" stopOpacity={strength} />
          <stop offset=".4" stopColor="#ffe3a0" stopOpacity={strength * 0.4} />
          <stop offset="1" stopColor="#ffd98a" stopOpacity="0" />
        </radialGradient>
      </defs>
      <circle cx={x} cy={y} r={size} fill={`url(#${id})`} />
    </>
  )
}

export function Candlesticks({ colour, accent }: FormProps) {
  return (
    <>
      {[
        { x: 132, rise: 0, tone: colour },
        { x: 212, rise: 66, tone: accent },
        { x: 286, rise: 22, tone: colour },
      ].map(({ x, rise, tone }) => (
        <g key={x}>
          <Shadow width={76} x={x} />
          <g transform={`translate(0 ${-rise})`}>
            <rect x={x - 7} y="196" width="14" height="112" rx="2" fill="#f4eee1" />
            <rect x={x + 2} y="196" width="5" height="112" fill="#000" fillOpacity=".1" />
            <Glow x={x} y={178} size={58} />
            <path
              d={`M${x} 160C${x + 11} 178 ${x + 7} 190 ${x} 192C${x - 7} 190 ${x - 11} 178 ${x} 160Z`}
              fill="#ffb949"
            />
            <path
              d={`M${x} 172C${x + 5} 182 ${x + 3} 189 ${x} 190C${x - 3} 189 ${x - 5} 182 ${x} 172Z`}
              fill="#fff4d0"
            />
          </g>
          <Turned
            profile={[
              [17, 306 - rise, 'sharp'],
              [18, 322 - rise],
              [8, 334 - rise],
              [8, 372],
              [34, 390],
              [36, FLOOR, 'sharp'],
            ]}
            colour={tone}
            x={x}
          />
        </g>
      ))}
    </>
  )
}
