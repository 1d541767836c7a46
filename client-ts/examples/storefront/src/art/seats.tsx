/** Furniture: wood, joined. */

import type { FormProps } from './form'
import { shade } from './tones'

/** A leg from its top to its foot, thinner below. */
function Leg({
  from,
  to,
  colour,
  thick = 14,
}: {
  from: readonly [number, number]
  to: readonly [number, number]
  colour: string
  thick?: number
}) {
  const [x1, y1] = from
  const [x2, y2] = to
  const [a, b] = [thick / 2, thick / 3]
  return <path d={`M${x1 - a} ${y1}H${x1 + a}L${x2 + b} ${y2}H${x2 - b}Z`} fill={colour} />
}

function Ground({ width, x = 204, y = 408 }: { width: number; x?: number; y?: number }) {
  return <ellipse cx={x} cy={y} rx={width} ry="14" fill="#000" fillOpacity=".2" />
}

export function Stool({ colour, accent }: FormProps) {
  return (
    <>
      <Ground width={116} />
      <Leg from={[206, 246]} to={[210, 388]} colour={shade(accent, -0.38)} />
      <Leg from={[146, 250]} to={[112, 408]} colour={shade(accent, -0.08)} />
      <Leg from={[256, 250]} to={[292, 408]} colour={shade(accent, -0.2)} />
      <path d="M128 344H276" stroke={shade(accent, -0.24)} strokeWidth="9" />
      <path d="M88 222V240A112 17 0 0 0 312 240V222Z" fill={shade(colour, -0.2)} />
      <ellipse cx="200" cy="222" rx="112" ry="17" fill={colour} />
      <path
        d="M110 218Q180 206 262 212"
        stroke="#fff"
        strokeOpacity=".3"
        strokeWidth="4"
        fill="none"
        strokeLinecap="round"
      />
    </>
  )
}

export function Chair({ colour, accent }: FormProps) {
  return (
    <>
      <Ground width={112} />
      <Leg from={[140, 130]} to={[146, 300]} colour={shade(accent, -0.3)} thick={12} />
      <Leg from={[262, 130]} to={[258, 300]} colour={shade(accent, -0.34)} thick={12} />
      <path d="M124 118Q200 100 278 118L274 184Q200 168 128 184Z" fill={colour} />
      <path d="M128 170Q200 154 275 170L274 184Q200 168 128 184Z" fill="#000" fillOpacity=".12" />
      <Leg from={[150, 300]} to={[140, 388]} colour={shade(accent, -0.4)} thick={12} />
      <Leg from={[252, 300]} to={[264, 388]} colour={shade(accent, -0.44)} thick={12} />
      <path d="M112 296L134 262H268L290 296Z" fill={shade(colour, 0.1)} />
      <path d="M112 296H290V312Q200 322 112 312Z" fill={shade(colour, -0.18)} />
      <Leg from={[124, 312]} to={[112, 408]} colour={accent} />
      <Leg from={[278, 312]} to={[292, 408]} colour={shade(accent, -0.14)} />
    </>
  )
}

export function SideTable({ colour, accent }: FormProps) {
  return (
    <>
      <Ground width={92} />
      <path d="M182 244H218L226 396H174Z" fill={accent} />
      <path d="M204 244H218L226 396H208Z" fill="#000" fillOpacity=".2" />
      <path d="M120 398V408A80 11 0 0 0 280 408V398Z" fill={shade(accent, -0.25)} />
      <ellipse cx="200" cy="398" rx="80" ry="11" fill={shade(accent, 0.06)} />
      <path d="M72 232V244A128 19 0 0 0 328 244V232Z" fill={shade(colour, -0.22)} />
      <ellipse cx="200" cy="232" rx="128" ry="19" fill={colour} />
      <path
        d="M98 228Q160 216 240 219"
        stroke="#fff"
        strokeOpacity=".35"
        strokeWidth="4"
        fill="none"
        strokeLinecap="round"
      />
    </>
  )
}

export function Bench({ colour, accent }: FormProps) {
  return (
    <>
      <Ground width={158} />
      <Leg from={[112, 312]} to={[106, 392]} colour={shade(accent, -0.4)} thick={16} />
      <Leg from={[292, 312]} to={[298, 392]} colour={shade(accent, -0.44)} thick={16} />
      <path d="M44 300L76 270H330L360 300Z" fill={shade(colour, 0.12)} />
      <path d="M44 300H360V320H44Z" fill={shade(colour, -0.16)} />
      <path d="M70 292H334M88 280H316" stroke={shade(colour, -0.12)} strokeOpacity=".5" strokeWidth="2" />
      <Leg from={[72, 320]} to={[58, 408]} colour={accent} thick={18} />
      <Leg from={[332, 320]} to={[346, 408]} colour={shade(accent, -0.16)} thick={18} />
    </>
  )
}
