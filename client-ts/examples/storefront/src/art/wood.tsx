/** From the wood shop to the table. */
import type { FormProps } from './form'
import { shade } from './tones'
import { FLOOR, MIDDLE, type ProfilePoint, Shadow, Turned } from './turned'

const MILL: readonly ProfilePoint[] = [
  [15, 150, 'sharp'],
  [27, 166],
  [25, 190],
  [15, 206, 'sharp'],
  [30, 212, 'sharp'],
  [24, 262],
  [36, 330],
  [38, 392],
  [36, FLOOR, 'sharp'],
]

export function Mills({ colour, accent }: FormProps) {
  return (
    <>
      <Shadow width={84} x={142} />
      <Shadow width={76} x={262} />
      <Turned profile={MILL} colour={colour} x={142} />
      <Turned
        profile={MILL.map(([r, y, s]) => [r, FLOOR - (FLOOR - y) * 0.78, s] as const)}
        colour={accent}
        x={262}
      />
    </>
  )
}

export function Board({ colour, accent }: FormProps) {
  const grain = [150, 176, 204, 236, 262]
  return (
    <>
      <ellipse cx="216" cy="404" rx="110" ry="14" fill="#000" fillOpacity=".26" />
      <g transform={`rotate(4 ${MIDDLE} ${FLOOR})`}>
        <path
          d="M126 400V196Q126 172 150 172H176Q186 172 186 160V122Q186 106 202 106T218 122V160Q218 172 228 172H254Q278 172 278 196V400Z"
          fill={shade(colour, -0.24)}
          transform="translate(6 2)"
        />
        <path
          d="M126 400V196Q126 172 150 172H176Q186 172 186 160V122Q186 106 202 106T218 122V160Q218 172 228 172H254Q278 172 278 196V400Z"
          fill={colour}
        />
        {grain.map((x, at) => (
          <path
            key={x}
            d={`M${x} 178C${x - 10 + at * 3} 260 ${x + 12 - at * 4} 320 ${x - 2} 400`}
            stroke={accent}
            strokeOpacity=".5"
            strokeWidth={2 + (at % 2) * 2}
            fill="none"
          />
        ))}
        <circle cx="202" cy="124" r="7" fill={shade(colour, -0.5)} />
      </g>
    </>
  )
}
