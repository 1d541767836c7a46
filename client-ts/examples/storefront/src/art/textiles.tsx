/** Blankets, cushions, towels: cloth, and the patterns woven into it. */
import { type ReactNode, useId } from 'react'
import type { FormProps } from './form'
import { shade } from './tones'

/** A folded blanket on the floor; the pattern runs over its front. */
function Folded({ colour, children }: { colour: string; children: ReactNode }) {
  const id = useId()
  const layers = [336, 274, 212]
  return (
    <>
      <ellipse cx="206" cy="404" rx="150" ry="18" fill="#000" fillOpacity=".24" />
      <defs>
        <clipPath id={id}>
          {layers.map((y) => (
            <rect key={y} x="72" y={y} width="256" height="64" rx="26" />
          ))}
        </clipPath>
      </defs>
      <g clipPath={`url(#${id})`}>
        <rect x="60" y="200" width="280" height="210" fill={colour} />
        {children}
        {layers.map((y) => (
          <g key={y}>
            <rect x="60" y={y + 44} width="280" height="22" fill="#000" fillOpacity=".14" />
            <rect x="60" y={y} width="280" height="9" fill="#fff" fillOpacity=".22" />
          </g>
        ))}
        <rect x="298" y="200" width="40" height="210" fill="#000" fillOpacity=".1" />
      </g>
      <g stroke={shade(colour, -0.12)} strokeWidth="3" strokeLinecap="round">
        {Array.from({ length: 12 }, (_, i) => 96 + i * 19).map((x) => (
          <path key={x} d={`M${x} 398l${x % 2 ? -3 : 3} 14`} />
        ))}
      </g>
    </>
  )
}

export function StripedBlanket({ colour, accent }: FormProps) {
  return (
    <Folded colour={colour}>
      {[
        [92, 18],
        [122, 5],
        [176, 34],
        [222, 5],
        [262, 18],
        [296, 5],
      ].map(([x, width]) => (
        <rect key={x} x={x} y="200" width={width} height="210" fill={accent} />
      ))}
    </Folded>
  )
}

export function CheckedBlanket({ colour, accent }: FormProps) {
  const steps = [0, 1, 2, 3, 4, 5]
  return (
    <Folded colour={colour}>
      {steps.map((i) => (
        <rect key={`x${i}`} x={76 + i * 46} y="200" width="22" height="210" fill={accent} fillOpacity=".55" />
      ))}
      {steps.map((i) => (
        <rect key={`y${i}`} x="60" y={208 + i * 36} width="280" height="16" fill={accent} fillOpacity=".55" />
      ))}
    </Folded>
  )
}

const CUSHION = 'M92 190Q200 168 308 190Q328 290 308 392Q200 412 92 392Q72 290 92 190Z'

function Cushion({ colour, children }: { colour: string; children: ReactNode }) {
  const id = useId()
  return (
    <>
      <ellipse cx="210" cy="402" rx="134" ry="17" fill="#000" fillOpacity=".28" />
      <defs>
        <clipPath id={`${id}c`}>
          <path d={CUSHION} />
        </clipPath>
        <radialGradient id={`${id}g`} cx=".42" cy=".36" r=".75">
          <stop offset="0" stopColor="#fff" stopOpacity=".24" />
          <stop offset=".6" stopColor="#000" stopOpacity="0" />
          <stop offset="1" stopColor="#000" stopOpacity=".34" />
        </radialGradient>
      </defs>
      <path d={CUSHION} fill={colour} stroke={shade(colour, -0.18)} strokeWidth="5" />
      <g clipPath={`url(#${id}c)`}>
        {children}
        <rect x="60" y="150" width="290" height="280" fill={`url(#${id}g)`} />
      </g>
    </>
  )
}

export function StripedCushion({ colour, accent }: FormProps) {
  return (
    <Cushion colour={colour}>
      {Array.from({ length: 7 }, (_, i) => (
        <path
          key={i}
          d={`M${82 + i * 38} 160Q${74 + i * 42} 290 ${82 + i * 38} 430`}
          stroke={accent}
          strokeWidth={i % 2 ? 6 : 15}
          fill="none"
        />
      ))}
    </Cushion>
  )
}

export function ArcCushion({ colour, accent }: FormProps) {
  return (
    <Cushion colour={colour}>
      {[130, 100, 70, 40].map((r, i) => (
        <circle key={r} cx="92" cy="396" r={r * 1.55} fill={i % 2 ? colour : accent} />
      ))}
    </Cushion>
  )
}

export function Towels({ colour, accent }: FormProps) {
  return (
    <>
      <path d="M70 134H330" stroke="#8a6a45" strokeWidth="9" strokeLinecap="round" />
      <circle cx="84" cy="134" r="9" fill="#73553a" />
      <circle cx="316" cy="134" r="9" fill="#73553a" />
      {[
        { x: 104, cloth: colour, line: accent, end: 386 },
        { x: 206, cloth: accent, line: colour, end: 350 },
      ].map(({ x, cloth, line, end }) => (
        <g key={x}>
          <path
            d={`M${x} 130H${x + 92}L${x + 96} ${end}Q${x + 48} ${end + 8} ${x - 2} ${end}Z`}
            fill={cloth}
          />
          <path
            d={`M${x + 62} 130H${x + 92}L${x + 96} ${end}L${x + 68} ${end + 5}Z`}
            fill="#000"
            fillOpacity=".1"
          />
          {[64, 50, 26].map((up, i) => (
            <path
              key={up}
              d={`M${x - 1} ${end - up}Q${x + 48} ${end - up + 8} ${x + 95} ${end - up}`}
              stroke={line}
              strokeWidth={i === 1 ? 10 : 4}
              fill="none"
            />
          ))}
        </g>
      ))}
    </>
  )
}

export function Rug({ colour, accent }: FormProps) {
  const id = useId()
  return (
    <g transform="translate(200 300) rotate(-3)">
      <rect
        x="-112"
        y="-160"
        width="224"
        height="290"
        fill="#000"
        fillOpacity=".18"
        transform="translate(8 10)"
      />
      <g stroke={shade(colour, 0.3)} strokeWidth="4">
        {Array.from({ length: 15 }, (_, i) => -104 + i * 15).map((x) => (
          <path key={x} d={`M${x} -178V150`} />
        ))}
      </g>
      <defs>
        <clipPath id={id}>
          <rect x="-112" y="-160" width="224" height="290" />
        </clipPath>
      </defs>
      <g clipPath={`url(#${id})`}>
        <rect x="-112" y="-160" width="224" height="290" fill={colour} />
        {[-120, -40, 40, 120].map((y) => (
          <path
            key={y}
            d={`M-112 ${y}L-56 ${y - 44}L0 ${y}L56 ${y - 44}L112 ${y}`}
            stroke={accent}
            strokeWidth="17"
            fill="none"
          />
        ))}
        <path d="M-112 -146H112M-112 116H112" stroke={accent} strokeWidth="8" />
      </g>
    </g>
  )
}
