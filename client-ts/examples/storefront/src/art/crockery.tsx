/** Cups, bowls and plates. */
import type { FormProps } from './form'
import { Speckles } from './sprigs'
import { shade } from './tones'
import { FLOOR, type ProfilePoint, Shadow, Turned } from './turned'

const MUG: readonly ProfilePoint[] = [
  [66, 272, 'sharp'],
  [68, 330],
  [64, 384],
  [54, FLOOR, 'sharp'],
]
const CUP: readonly ProfilePoint[] = [
  [50, 306, 'sharp'],
  [48, 346],
  [36, 380],
  [26, 386, 'sharp'],
  [26, 391, 'sharp'],
]
const BOWL: readonly ProfilePoint[] = [
  [112, 290, 'sharp'],
  [106, 338],
  [66, 384],
  [40, 390, 'sharp'],
  [40, FLOOR, 'sharp'],
]
const WIDE: readonly ProfilePoint[] = [
  [146, 318, 'sharp'],
  [134, 352],
  [84, 386],
  [52, 390, 'sharp'],
  [50, FLOOR, 'sharp'],
]

export function Mug({ colour, accent }: FormProps) {
  return (
    <>
      <Shadow width={140} />
      <path
        d="M262 300c52-10 62 66-2 72"
        fill="none"
        stroke={shade(accent, -0.22)}
        strokeWidth="15"
        strokeLinecap="round"
      />
      <path
        d="M262 298c52-10 62 66-2 72"
        fill="none"
        stroke={accent}
        strokeWidth="10"
        strokeLinecap="round"
      />
      <Turned
        profile={MUG}
        colour={accent}
        inside={shade(colour, -0.35)}
        dip={{ colour, at: 346, from: 'top' }}
      >
        <Speckles colour={shade(accent, -0.5)} top={340} width={70} />
      </Turned>
    </>
  )
}

export function EspressoPair({ colour, accent }: FormProps) {
  return (
    <>
      {[
        { x: 126, tone: accent },
        { x: 268, tone: colour },
      ].map(({ x, tone }) => (
        <g key={x}>
          <Shadow width={120} x={x} />
          <Turned
            profile={[
              [66, 388, 'sharp'],
              [52, 396],
              [34, FLOOR, 'sharp'],
            ]}
            colour={shade(tone, -0.08)}
            inside={shade(tone, 0.08)}
            x={x}
          />
          <path
            d={`M${x + 47} 324c28-4 30 32-6 36`}
            fill="none"
            stroke={shade(tone, -0.16)}
            strokeWidth="9"
          />
          <Turned profile={CUP} colour={tone} inside="#4a2f20" x={x} />
        </g>
      ))}
    </>
  )
}

export function Bowl({ colour, accent }: FormProps) {
  return (
    <>
      <Shadow width={190} />
      <Turned profile={BOWL} colour={colour} inside={accent}>
        <Speckles colour={shade(colour, -0.45)} top={300} />
      </Turned>
    </>
  )
}

export function NestedBowls({ colour, accent }: FormProps) {
  return (
    <>
      <Shadow width={230} />
      <Turned profile={WIDE} colour={colour} inside={shade(colour, -0.2)} />
      <Turned
        profile={WIDE.map(([r, y, s]) => [r * 0.8, y - 34, s] as const)}
        colour={accent}
        inside={shade(accent, -0.25)}
      />
      <Turned
        profile={WIDE.map(([r, y, s]) => [r * 0.62, y - 64, s] as const)}
        colour={shade(colour, 0.45)}
        inside={shade(colour, 0.1)}
      />
    </>
  )
}

export function Plates({ colour, accent }: FormProps) {
  return (
    <>
      <ellipse cx="222" cy="410" rx="150" ry="20" fill="#000" fillOpacity=".2" />
      <g transform="translate(222 268)">
        <circle r="134" fill={shade(accent, -0.14)} cx="5" cy="3" />
        <circle r="134" fill={accent} />
        <circle r="96" fill="none" stroke={shade(accent, -0.16)} strokeWidth="3" />
        <circle r="94" fill={shade(accent, 0.1)} />
      </g>
      <g transform="translate(166 302)">
        <circle r="101" fill={shade(colour, -0.3)} cx="5" cy="4" />
        <circle r="101" fill={colour} />
        <circle r="97" fill="none" stroke={shade(colour, 0.3)} strokeWidth="2" strokeOpacity=".7" />
        <circle r="68" fill="none" stroke={shade(colour, -0.22)} strokeWidth="3" />
        <path
          d="M-62 -28A68 68 0 0 1 10 -67"
          fill="none"
          stroke="#fff"
          strokeOpacity=".4"
          strokeWidth="6"
          strokeLinecap="round"
        />
      </g>
    </>
  )
}
