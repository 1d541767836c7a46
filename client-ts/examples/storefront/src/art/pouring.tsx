/** What holds tea, milk and water. */
import type { FormProps } from './form'
import { shade } from './tones'
import { Band, FLOOR, type ProfilePoint, Shadow, Turned } from './turned'

const TEAPOT: readonly ProfilePoint[] = [
  [46, 262, 'sharp'],
  [86, 288],
  [98, 336],
  [76, 386],
  [54, FLOOR, 'sharp'],
]
const JUG: readonly ProfilePoint[] = [
  [50, 196, 'sharp'],
  [44, 236],
  [70, 310],
  [66, 370],
  [50, FLOOR, 'sharp'],
]
const CARAFE: readonly ProfilePoint[] = [
  [38, 158, 'sharp'],
  [27, 200],
  [30, 240],
  [78, 318],
  [80, 372],
  [66, FLOOR, 'sharp'],
]
const TUMBLER: readonly ProfilePoint[] = [
  [45, 294, 'sharp'],
  [43, 350],
  [38, FLOOR, 'sharp'],
]

export function Teapot({ colour, accent }: FormProps) {
  return (
    <>
      <Shadow width={180} />
      <path d="M150 268C140 176 260 176 250 268" fill="none" stroke={accent} strokeWidth="11" />
      <path
        d="M284 316C326 316 322 272 352 262L362 276C342 288 346 350 284 362Z"
        fill={shade(colour, -0.16)}
      />
      <Turned profile={TEAPOT} colour={colour} />
      <Turned
        profile={[
          [7, 228, 'sharp'],
          [12, 236],
          [8, 246, 'sharp'],
          [40, 254],
          [48, 264, 'sharp'],
        ]}
        colour={shade(colour, 0.05)}
      />
    </>
  )
}

export function Jug({ colour, accent }: FormProps) {
  return (
    <>
      <Shadow width={130} />
      <path
        d="M246 222C330 216 322 330 262 346"
        fill="none"
        stroke={shade(colour, -0.2)}
        strokeWidth="15"
        strokeLinecap="round"
      />
      <path d="M152 190L124 182Q134 206 156 216Z" fill={shade(colour, 0.1)} />
      <Turned profile={JUG} colour={colour} inside={shade(colour, -0.5)}>
        <Band y={322} width={74} colour={accent} thick={18} />
        <Band y={346} width={74} colour={accent} thick={5} />
      </Turned>
    </>
  )
}

export function Carafe({ colour, accent }: FormProps) {
  return (
    <>
      <Shadow width={150} />
      <Turned profile={CARAFE} colour={colour} clear>
        <path d="M-120 314A90 12 0 0 0 120 314V420H-120Z" fill={accent} fillOpacity=".55" />
        <ellipse cy="314" rx="78" ry="9" fill={shade(accent, 0.3)} fillOpacity=".7" />
      </Turned>
      <Turned
        profile={[
          [24, 136, 'sharp'],
          [28, 146],
          [26, 162, 'sharp'],
        ]}
        colour="#c99d6b"
      />
    </>
  )
}

export function Tumblers({ colour, accent }: FormProps) {
  return (
    <>
      {[
        { x: 128, tone: accent },
        { x: 232, tone: colour },
      ].map(({ x, tone }) => (
        <g key={x}>
          <Shadow width={84} x={x} />
          <Turned profile={TUMBLER} colour={tone} x={x} clear>
            {[-30, -14, 4, 22, 36].map((at) => (
              <path key={at} d={`M${at} 280V410`} stroke="#fff" strokeOpacity=".35" strokeWidth="3" />
            ))}
          </Turned>
        </g>
      ))}
      <g transform="translate(180 -108)">
        <Turned profile={TUMBLER} colour={shade(accent, 0.15)} x={0} clear>
          {[-30, -14, 4, 22, 36].map((at) => (
            <path key={at} d={`M${at} 280V410`} stroke="#fff" strokeOpacity=".35" strokeWidth="3" />
          ))}
        </Turned>
      </g>
    </>
  )
}
