/** Lamps that hang. */
import type { FormProps } from './form'
import { Glow } from './glow'
import { shade } from './tones'
import { MIDDLE, Turned } from './turned'

export function Pendant({ colour, accent }: FormProps) {
  return (
    <>
      <path d="M200 0V132" className="cord" strokeWidth="3.5" />
      <Glow y={330} size={200} strength={0.85} />
      <Turned
        profile={[
          [9, 126, 'sharp'],
          [13, 150, 'sharp'],
          [26, 158],
          [98, 206],
          [134, 292, 'sharp'],
        ]}
        colour={colour}
      />
      <ellipse cx={MIDDLE} cy="292" rx="134" ry="17.5" fill={shade(accent, 0.2)} />
      <ellipse cx={MIDDLE} cy="295" rx="122" ry="13" fill="#fffaf0" />
    </>
  )
}

export function Cones({ colour, accent }: FormProps) {
  return (
    <>
      {[
        { x: 120, y: 40, tone: colour },
        { x: 276, y: -36, tone: accent },
      ].map(({ x, y, tone }) => (
        <g key={x}>
          <path d={`M${x} 0V${170 + y}`} className="cord" strokeWidth="3" />
          <g transform={`translate(0 ${y})`}>
            <Glow x={x} y={330} size={120} />
            <Turned
              profile={[
                [8, 150, 'sharp'],
                [10, 186, 'sharp'],
                [70, 286, 'sharp'],
              ]}
              colour={tone}
              x={x}
            />
            <ellipse cx={x} cy="286" rx="70" ry="9" fill="#fff6dd" />
          </g>
        </g>
      ))}
    </>
  )
}

export function Lantern({ colour, accent }: FormProps) {
  const ribs = [152, 178, 206, 236, 266, 294, 318]
  return (
    <>
      <path d="M200 0V126" className="cord" strokeWidth="3" />
      <Glow y={236} size={230} strength={0.7} />
      <Turned
        profile={[
          [34, 122, 'sharp'],
          [104, 176],
          [122, 236],
          [100, 300],
          [34, 348, 'sharp'],
        ]}
        colour={shade(colour, 0.15)}
      >
        {ribs.map((y) => (
          <path
            key={y}
            d={`M-130 ${y}Q0 ${y + 16} 130 ${y}`}
            stroke={accent}
            strokeOpacity=".45"
            strokeWidth="2"
            fill="none"
          />
        ))}
        <circle cy="236" r="70" fill="#fff3cf" fillOpacity=".5" />
      </Turned>
    </>
  )
}
