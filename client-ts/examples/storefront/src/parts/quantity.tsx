/** One more, one less. */
interface QuantityProps {
  value: number
  max: number
  /** Of what, for screen readers. */
  name: string
  onChange: (value: number) => void
  min?: number
}

export function Quantity({ value, max, name, onChange, min = 1 }: QuantityProps) {
  return (
    <fieldset className="quantity">
      <legend className="hidden">Quantity of {name}</legend>
      <button type="button" aria-label="One less" disabled={value <= min} onClick={() => onChange(value - 1)}>
        −
      </button>
      <output aria-live="polite">{value}</output>
      <button type="button" aria-label="One more" disabled={value >= max} onClick={() => onChange(value + 1)}>
        +
      </button>
    </fieldset>
  )
}
