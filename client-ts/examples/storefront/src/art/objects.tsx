/** Small things for walls and shelves. */

import type { FormProps } from './form'
import { shade } from './tones'
import { Band, FLOOR, MIDDLE, Shadow, Turned } from './turned'

export function Clock({ colour, accent }: FormProps) {
  return (
    <g transform="translate(200 236)">
      <circle cx="9" cy="12" r="122" fill="#000" fillOpacity=".2" />
      <circle r="122" fill={shade(colour, -0.14)} />
      <circle r="112" fill={colour} />
      {Array.from({ length: 12 }, (_, i) => (
        <path
          key={i}
          d={i % 3 ? 'M0 -98V-90' : 'M0 -98V-78'}
          stroke={accent}
          strokeWidth={i % 3 ? 4 : 6}
          transform={`rotate(${i * 30})`}
        />
      ))}
      <g stroke={accent} strokeLinecap="round">
        <path d="M0 12V-62" strokeWidth="8" transform="rotate(-54)" />
        <path d="M0 16V-88" strokeWidth="5" transform="rotate(54)" />
      </g>
      <path d="M0 24V-80" stroke="#d8472f" strokeWidth="2.5" transform="rotate(200)" />
      <circle r="7" fill="#d8472f" />
    </g>
  )
}

export function Mirror({ colour, accent }: FormProps) {
  return (
    <g transform="translate(200 236)">
      <path d="M0 -176V-118" stroke={accent} strokeWidth="7" />
      <circle cy="-178" r="8" fill={accent} />
      <circle cx="9" cy="12" r="126" fill="#000" fillOpacity=".2" />
      <circle r="126" fill={colour} />
      <circle r="113" fill="#cfdce0" />
      <path d="M-80 80A113 113 0 0 1 62 -94L24 -40A62 62 0 0 0 -46 50Z" fill="#fff" fillOpacity=".5" />
      <path d="M70 -60L84 -44L-38 94L-56 84Z" fill="#fff" fillOpacity=".34" />
    </g>
  )
}

export function Boxes({ colour, accent }: FormProps) {
  const stack = [
    { y: 306, width: 116, height: 94, tone: colour },
    { y: 234, width: 94, height: 72, tone: accent },
    { y: 182, width: 68, height: 52, tone: shade(colour, 0.35) },
  ]
  return (
    <>
      <Shadow width={220} />
      {stack.map(({ y, width, height, tone }) => (
        <g key={y}>
          <Turned
            profile={[
              [width - 4, y + 18, 'sharp'],
              [width - 4, y + height, 'sharp'],
            ]}
            colour={shade(tone, -0.08)}
          />
          <Turned
            profile={[
              [width, y, 'sharp'],
              [width, y + 20, 'sharp'],
            ]}
            colour={tone}
          />
          <ellipse cx={MIDDLE} cy={y} rx={width} ry={width * 0.13} fill={shade(tone, 0.2)} />
        </g>
      ))}
      <circle cx={MIDDLE} cy="174" r="10" fill="#c99b3c" />
    </>
  )
}

export function Bookends({ colour, accent }: FormProps) {
  const books = [
    [136, 24, 176, '#8f3b2e'],
    [160, 34, 158, '#e7dcc6'],
    [194, 18, 188, '#3d4f46'],
    [212, 30, 168, '#d6a24a'],
    [242, 22, 150, '#55677d'],
  ] as const
  return (
    <>
      <ellipse cx="206" cy="403" rx="160" ry="13" fill="#000" fillOpacity=".26" />
      {books.map(([x, width, height, tone]) => (
        <g key={x}>
          <rect x={x} y={FLOOR - height} width={width} height={height} fill={tone} />
          <rect
            x={x + width - 5}
            y={FLOOR - height}
            width="5"
            height={height}
            fill="#000"
            fillOpacity=".16"
          />
          <rect
            x={x + 4}
            y={FLOOR - height + 20}
            width={width - 9}
            height="4"
            fill="#fff"
            fillOpacity=".45"
          />
        </g>
      ))}
      <path d="M136 400H56V320A80 80 0 0 1 136 240V286A34 34 0 0 0 102 320V366H136Z" fill={colour} />
      <path d="M264 400H344V320A80 80 0 0 0 264 240V286A34 34 0 0 1 298 320V366H264Z" fill={accent} />
      <path
        d="M136 240V286A34 34 0 0 0 102 320"
        fill="none"
        stroke="#000"
        strokeOpacity=".2"
        strokeWidth="5"
      />
      <path
        d="M264 240V286A34 34 0 0 1 298 320"
        fill="none"
        stroke="#000"
        strokeOpacity=".2"
        strokeWidth="5"
      />
    </>
  )
}

export function Planter({ colour, accent }: FormProps) {
  const leaves = [
    [-62, -96, -44],
    [-30, -138, -20],
    [6, -156, 4],
    [40, -132, 24],
    [68, -90, 48],
    [-14, -92, -8],
    [26, -84, 16],
  ] as const
  return (
    <>
      <Shadow width={150} />
      <g transform="translate(200 296)">
        {leaves.map(([x, y, turn], i) => (
          <g key={x}>
            <path
              d={`M0 4Q${x * 0.2} ${y * 0.4} ${x} ${y * 0.86}`}
              stroke="#4c5f3a"
              strokeWidth="4"
              fill="none"
            />
            <path
              d={`M${x} ${y - 42}C${x + 32} ${y - 16} ${x + 24} ${y + 28} ${x} ${y + 36}C${x - 24} ${y + 28} ${x - 32} ${y - 16} ${x} ${y - 42}Z`}
              fill={['#56704a', '#6c8a5c', '#4a6342'][i % 3]}
              transform={`rotate(${turn} ${x} ${y})`}
            />
            <path
              d={`M${x} ${y - 36}V${y + 32}`}
              stroke="#fff"
              strokeOpacity=".22"
              strokeWidth="2"
              transform={`rotate(${turn} ${x} ${y})`}
            />
          </g>
        ))}
      </g>
      <Turned
        profile={[
          [78, 292, 'sharp'],
          [74, 350],
          [58, FLOOR, 'sharp'],
        ]}
        colour={colour}
        inside="#4b3627"
      >
        <Band y={336} width={80} colour={accent} thick={14} />
      </Turned>
    </>
  )
}
