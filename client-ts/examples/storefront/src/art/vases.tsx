/** Vases and bottles. */
import type { FormProps } from './form'
import { Branch, Grasses, Speckles, Stem } from './sprigs'
import { shade } from './tones'
import { Band, FLOOR, MIDDLE, type ProfilePoint, Shadow, Turned } from './turned'

const GOURD: readonly ProfilePoint[] = [
  [26, 172, 'sharp'],
  [20, 190],
  [44, 226],
  [34, 262],
  [84, 318],
  [78, 372],
  [48, FLOOR, 'sharp'],
]
const AMPHORA: readonly ProfilePoint[] = [
  [40, 168, 'sharp'],
  [27, 186],
  [30, 214],
  [86, 262],
  [70, 334],
  [36, 384],
  [40, FLOOR, 'sharp'],
]
const MOON: readonly ProfilePoint[] = [
  [34, 206, 'sharp'],
  [32, 220],
  [88, 258],
  [104, 312],
  [84, 370],
  [44, FLOOR, 'sharp'],
]
const TALL: readonly ProfilePoint[] = [
  [48, 150, 'sharp'],
  [38, 200],
  [40, 270],
  [54, 340],
  [50, FLOOR, 'sharp'],
]
const BOTTLE: readonly ProfilePoint[] = [
  [17, 140, 'sharp'],
  [15, 190],
  [17, 232],
  [62, 282],
  [66, 350],
  [58, FLOOR, 'sharp'],
]
const BUD: readonly ProfilePoint[] = [
  [13, 268, 'sharp'],
  [11, 296],
  [38, 340],
  [36, 378],
  [22, FLOOR, 'sharp'],
]

export function Gourd({ colour, accent }: FormProps) {
  return (
    <>
      <Shadow width={150} />
      <Branch x={MIDDLE} y={172} />
      <Turned
        profile={GOURD}
        colour={colour}
        inside={shade(colour, -0.6)}
        dip={{ colour: accent, at: 318, from: 'bottom' }}
      />
    </>
  )
}

export function Amphora({ colour, accent }: FormProps) {
  const handle = `M29 198C66 188 92 214 74 252`
  return (
    <>
      <Shadow width={150} />
      <g fill="none" stroke={shade(colour, -0.18)} strokeWidth="12" strokeLinecap="round">
        <path d={handle} transform={`translate(${MIDDLE} 0)`} />
        <path d={handle} transform={`translate(${MIDDLE} 0) scale(-1 1)`} stroke={shade(colour, 0.06)} />
      </g>
      <Turned profile={AMPHORA} colour={colour} inside={shade(colour, -0.6)}>
        <Band y={266} width={86} colour={accent} thick={7} />
        <Band y={282} width={84} colour={accent} thick={3} />
        <Band y={344} width={70} colour={accent} thick={7} />
      </Turned>
    </>
  )
}

export function Moon({ colour, accent }: FormProps) {
  return (
    <>
      <Shadow width={190} />
      <Grasses x={MIDDLE} y={206} />
      <Turned profile={MOON} colour={colour} inside={shade(colour, -0.55)}>
        <Speckles colour={accent} />
      </Turned>
    </>
  )
}

export function Tall({ colour, accent }: FormProps) {
  const grooves = [-44, -33, -21, -8, 6, 19, 31, 42]
  return (
    <>
      <Shadow width={100} />
      <Turned profile={TALL} colour={colour} inside={shade(accent, -0.3)}>
        {grooves.map((x) => (
          <path
            key={x}
            d={`M${x} 140Q${x * 0.84} 230 ${x * 1.1} 420`}
            stroke={shade(colour, -0.22)}
            strokeOpacity=".55"
            strokeWidth="3"
            fill="none"
          />
        ))}
      </Turned>
    </>
  )
}

export function Bottle({ colour, accent }: FormProps) {
  return (
    <>
      <Shadow width={122} />
      <Turned
        profile={BOTTLE}
        colour={colour}
        inside={shade(colour, -0.5)}
        dip={{ colour: accent, at: 244, from: 'top' }}
      />
    </>
  )
}

export function BudTrio({ colour, accent }: FormProps) {
  return (
    <>
      <Shadow width={80} x={112} />
      <Shadow width={80} x={292} />
      <Shadow width={90} x={204} y={408} />
      <Stem x={112} y={268} height={110} lean={-16} />
      <Turned profile={BUD} colour={accent} inside={shade(accent, -0.5)} x={112} />
      <Turned
        profile={BUD.map(([r, y, s]) => [r * 1.12, y - 24 + (y - 268) * 0.18, s] as const)}
        colour={shade(colour, 0.2)}
        inside={shade(colour, -0.5)}
        x={292}
      />
      <Stem x={204} y={276} height={150} lean={12} />
      <Turned
        profile={BUD.map(([r, y, s]) => [r * 1.05, y + 8, s] as const)}
        colour={colour}
        inside={shade(colour, -0.5)}
        x={204}
      />
    </>
  )
}
