/** The picture of a product: its form in its colours, before its wall. Drawn, so nothing is ever loaded. */
import { type ComponentType, memo } from 'react'
import type { Picture } from '../../shared/types'
import * as crockery from './crockery'
import type { FormProps } from './form'
import * as glow from './glow'
import * as hanging from './hanging-lights'
import * as lamps from './lamps'
import * as objects from './objects'
import * as pouring from './pouring'
import * as seats from './seats'
import * as textiles from './textiles'
import { toneOf } from './tones'
import * as vases from './vases'
import * as wood from './wood'

const FORMS: Readonly<Record<string, ComponentType<FormProps>>> = {
  gourd: vases.Gourd,
  amphora: vases.Amphora,
  moon: vases.Moon,
  tall: vases.Tall,
  bottle: vases.Bottle,
  'bud-trio': vases.BudTrio,
  mug: crockery.Mug,
  espresso: crockery.EspressoPair,
  bowl: crockery.Bowl,
  nested: crockery.NestedBowls,
  plates: crockery.Plates,
  teapot: pouring.Teapot,
  jug: pouring.Jug,
  carafe: pouring.Carafe,
  tumblers: pouring.Tumblers,
  mills: wood.Mills,
  board: wood.Board,
  mushroom: lamps.Mushroom,
  pendant: hanging.Pendant,
  cones: hanging.Cones,
  globe: lamps.Globe,
  lantern: hanging.Lantern,
  candlesticks: glow.Candlesticks,
  desk: lamps.DeskLamp,
  portable: lamps.Portable,
  'striped-blanket': textiles.StripedBlanket,
  'checked-blanket': textiles.CheckedBlanket,
  'striped-cushion': textiles.StripedCushion,
  'arc-cushion': textiles.ArcCushion,
  towels: textiles.Towels,
  rug: textiles.Rug,
  clock: objects.Clock,
  mirror: objects.Mirror,
  boxes: objects.Boxes,
  bookends: objects.Bookends,
  planter: objects.Planter,
  stool: seats.Stool,
  chair: seats.Chair,
  'side-table': seats.SideTable,
  bench: seats.Bench,
}

/** What hangs has no floor below it. */
const HANGING = new Set(['clock', 'mirror', 'towels', 'pendant', 'cones', 'lantern', 'rug'])

interface ProductArtProps {
  picture: Picture
  /** Small pictures show the thing and less of the room. */
  near?: boolean
  /** What is seen, for those who do not see it. Empty where the name stands beside it. */
  label?: string
}

export const ProductArt = memo(function ProductArt({ picture, near = false, label = '' }: ProductArtProps) {
  const Form = FORMS[picture.form]
  const accent = toneOf(picture.accent ?? 'bone')
  return (
    <svg
      className={`art on-${picture.backdrop}`}
      viewBox={near ? '44 95 312 390' : '0 0 400 500'}
      preserveAspectRatio="xMidYMid slice"
      {...(label ? { role: 'img', 'aria-label': label } : { 'aria-hidden': true })}
    >
      <rect className="wall" width="400" height="500" />
      {!HANGING.has(picture.form) && <rect className="floor" y="352" width="400" height="148" />}
      {Form && <Form colour={toneOf(picture.tone)} accent={accent} />}
    </svg>
  )
})
