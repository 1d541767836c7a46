/** Lamps that stand. */
import type { FormProps } from './form'
import { Glow } from './glow'
import { shade } from './tones'
import { FLOOR, MIDDLE, Shadow, Turned } from './turned'

export function Mushroom({ colour, accent }: FormProps) {
  return (
    <>
      <Shadow width={130} />
      <Turned
        profile={[
          [20, 250, 'sharp'],
          [22, 330],
          [34, 380],
          [62, FLOOR, 'sharp'],
        ]}
        colour={accent}
      />
      <Glow y={290} size={150} />
      <Turned
        profile={[
          [6, 146, 'sharp'],
          [70, 164],
          [112, 216],
          [122, 268, 'sharp'],
        ]}
        colour={colour}
      />
      <ellipse cx={MIDDLE} cy="268" rx="122" ry="16" fill="#fff1c9" />
      <ellipse cx={MIDDLE} cy="271" rx="112" ry="11" fill="#fffaf0" />
    </>
  )
}

export function Globe({ colour, accent }: FormProps) {
  return (
    <>
      <Shadow width={120} />
      <Turned
        profile={[
          [46, 350, 'sharp'],
          [52, 372],
          [56, FLOOR, 'sharp'],
        ]}
        colour={accent}
      />
      <Glow y={262} size={186} strength={0.9} />
      <circle cx={MIDDLE} cy="262" r="98" fill={colour} />
      <circle cx={MIDDLE} cy="262" r="98" fill="#fff6de" fillOpacity=".6" />
      <circle cx="172" cy="230" r="44" fill="#fff" fillOpacity=".55" />
    </>
  )
}

export function DeskLamp({ colour, accent }: FormProps) {
  return (
    <>
      <Shadow width={140} x={176} />
      <Turned
        profile={[
          [54, 388, 'sharp'],
          [58, FLOOR, 'sharp'],
        ]}
        colour={colour}
        x={170}
      />
      <g fill="none" stroke={accent} strokeWidth="8" strokeLinecap="round">
        <path d="M170 386L124 268" />
        <path d="M124 268L222 174" />
      </g>
      <circle cx="124" cy="268" r="11" fill={shade(accent, -0.3)} />
      <Glow x={266} y={262} size={124} />
      <g transform="rotate(-34 228 172)">
        <path d="M206 150H250L284 230H172Z" fill={colour} />
        <path d="M228 150H250L284 230H236Z" fill="#000" fillOpacity=".18" />
        <ellipse cx="228" cy="230" rx="56" ry="9" fill="#fff6dd" />
      </g>
    </>
  )
}

export function Portable({ colour, accent }: FormProps) {
  return (
    <>
      <Shadow width={110} />
      <Glow y={244} size={170} />
      <Turned
        profile={[
          [42, 382, 'sharp'],
          [48, FLOOR, 'sharp'],
        ]}
        colour={accent}
      />
      <rect x="193" y="250" width="14" height="136" fill={shade(accent, -0.1)} />
      <Turned
        profile={[
          [70, 176, 'sharp'],
          [82, 268, 'sharp'],
        ]}
        colour={colour}
      >
        <rect x="-90" y="210" width="180" height="70" fill="#fff1c9" fillOpacity=".45" />
      </Turned>
      <ellipse cx={MIDDLE} cy="176" rx="70" ry="9" fill={shade(colour, 0.3)} />
      <path d="M160 176Q200 110 240 176" fill="none" stroke={accent} strokeWidth="6" />
    </>
  )
}
