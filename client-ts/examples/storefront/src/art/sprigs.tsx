/** What stands in vases, and the specks in their clay. */
import type { ReactNode } from 'react'
import { FLOOR } from './turned'

export function Stem({ x, y, height, lean }: { x: number; y: number; height: number; lean: number }) {
  return (
    <g transform={`translate(${x} ${y})`}>
      <path
        d={`M0 20C0 ${-height * 0.4} ${lean * 0.4} ${-height * 0.7} ${lean} ${-height}`}
        stroke="#6d7048"
        strokeWidth="3"
        fill="none"
      />
      <g fill="#e7b84f">
        <circle cx={lean} cy={-height} r="13" />
        <circle cx={lean - 3} cy={-height - 3} r="8" fill="#f3d27c" />
      </g>
    </g>
  )
}

/** Eucalyptus. */
export function Branch({ x, y }: { x: number; y: number }): ReactNode {
  const leaves = [
    [-8, -34, -50],
    [6, -46, 40],
    [-20, -66, -60],
    [4, -82, 34],
    [-30, -98, -55],
    [-6, -112, 26],
    [-34, -130, -30],
  ] as const
  return (
    <g transform={`translate(${x} ${y})`}>
      <path d="M0 20C0 -40 -12 -80 -30 -128" stroke="#6b6a4c" strokeWidth="3" fill="none" />
      {leaves.map(([lx, ly, turn], at) => (
        <ellipse
          key={ly}
          cx={lx}
          cy={ly}
          rx="9"
          ry="16"
          fill={at % 2 ? '#7f947c' : '#93a78d'}
          transform={`rotate(${turn} ${lx} ${ly})`}
        />
      ))}
    </g>
  )
}

export function Grasses({ x, y }: { x: number; y: number }): ReactNode {
  const blades = [
    [-46, -92],
    [-22, -118],
    [2, -104],
    [26, -126],
    [50, -88],
  ] as const
  return (
    <g transform={`translate(${x} ${y})`}>
      {blades.map(([dx, dy]) => (
        <g key={dx}>
          <path
            d={`M${dx * 0.16} 10Q${dx * 0.4} ${dy * 0.6} ${dx} ${dy}`}
            stroke="#b18e57"
            strokeWidth="2"
            fill="none"
          />
          <ellipse
            cx={dx * 1.04}
            cy={dy - 10}
            rx="6"
            ry="21"
            fill="#d9bd8a"
            transform={`rotate(${dx * 0.5} ${dx} ${dy})`}
          />
        </g>
      ))}
    </g>
  )
}

/** Iron in the clay: small dots, the same on every piece so that nothing moves between two drawings. */
export function Speckles({
  colour,
  top = 200,
  bottom = FLOOR,
  width = 110,
}: {
  colour: string
  top?: number
  bottom?: number
  width?: number
}) {
  const dots = Array.from({ length: 46 }, (_, i) => {
    const [a, b] = [(i * 0.618034) % 1, (i * 0.754878) % 1]
    return {
      x: Math.round((a * 2 - 1) * width),
      y: Math.round(top + b * (bottom - top)),
      r: 0.8 + ((i * 7) % 5) * 0.34,
    }
  })
  return (
    <g fill={colour} fillOpacity=".65">
      {dots.map(({ x, y, r }) => (
        <circle key={`${x} ${y}`} cx={x} cy={y} r={r} />
      ))}
    </g>
  )
}
