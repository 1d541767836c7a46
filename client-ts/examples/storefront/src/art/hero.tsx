/** The shop's own shelf, over the window: a few things of the catalogue in one light. */
import { Mug } from './crockery'
import { Mushroom } from './lamps'
import { Bookends } from './objects'
import { Jug } from './pouring'
import { toneOf } from './tones'
import { Gourd } from './vases'

const THINGS = [
  { Form: Gourd, x: -40, size: 1.02, colour: 'sage', accent: 'chalk' },
  { Form: Mug, x: 168, size: 0.7, colour: 'cobalt', accent: 'chalk' },
  { Form: Mushroom, x: 286, size: 1.12, colour: 'tomato', accent: 'walnut' },
  { Form: Bookends, x: 560, size: 0.9, colour: 'ink', accent: 'cobalt' },
  { Form: Jug, x: 806, size: 0.98, colour: 'chalk', accent: 'tomato' },
] as const

export function Hero() {
  return (
    <section className="hero">
      <div className="hero-words">
        <h1>Good things, on view.</h1>
        <p>
          For the table, the shelf, and the light above them. Made in small batches, so what you see is what
          there is.
        </p>
      </div>
      <svg viewBox="0 0 1160 420" aria-hidden="true" preserveAspectRatio="xMidYMax meet">
        {THINGS.map(({ Form, x, size, colour, accent }) => (
          <g key={x} transform={`translate(${x} ${386 - 400 * size}) scale(${size})`}>
            <Form colour={toneOf(colour)} accent={toneOf(accent)} />
          </g>
        ))}
      </svg>
    </section>
  )
}
