/** One product behind the counter. A field is sent when it is left or Enter is pressed. */
import type { KeyboardEvent } from 'react'
import type { Product } from '../../shared/types'
import type { Patch } from '../admin'
import { ProductArt } from '../art/product-art'

interface StockRowProps {
  product: Product
  onChange: (patch: Patch) => void
}

export function StockRow({ product, onChange }: StockRowProps) {
  const { id, name, picture, price, stock, sale } = product
  return (
    <tr data-product={id}>
      <th scope="row">
        <span className="tile">
          <ProductArt picture={picture} near />
        </span>
        {name}
      </th>
      <td>
        <NumberField
          label={`Price of ${name}`}
          value={price / 100}
          step={0.01}
          onChange={(euros) => onChange({ price: Math.round(euros * 100) })}
        />
      </td>
      <td>
        <NumberField
          label={`Stock of ${name}`}
          value={stock}
          step={1}
          onChange={(count) => onChange({ stock: count })}
        />
      </td>
      <td>
        <select
          aria-label={`Sale of ${name}`}
          value={sale?.discountPercentage ?? 0}
          onChange={({ target }) => onChange({ sale: saleOf(Number(target.value)) })}
        >
          {[...new Set([0, 10, 20, 30, 50, sale?.discountPercentage ?? 0])]
            .sort((a, b) => a - b)
            .map((off) => (
              <option key={off} value={off}>
                {off === 0 ? 'None' : `${off} % off`}
              </option>
            ))}
        </select>
      </td>
      <td className="at-once">
        <button type="button" className="text" onClick={() => onChange({ stock: stock === 0 ? 12 : 0 })}>
          {stock === 0 ? 'Restock' : 'Sell out'}
        </button>
        <button
          type="button"
          className="text"
          onClick={() => onChange({ sale: { discountPercentage: 30, forSeconds: 60 } })}
        >
          One-minute sale
        </button>
      </td>
    </tr>
  )
}

const saleOf = (discountPercentage: number): { discountPercentage: number } | null =>
  discountPercentage === 0 ? null : { discountPercentage }

interface NumberFieldProps {
  label: string
  value: number
  step: number
  onChange: (value: number) => void
}

/** The key lets the field follow the shop while nobody types in it. */
function NumberField({ label, value, step, onChange }: NumberFieldProps) {
  function leaveOnEnter(event: KeyboardEvent<HTMLInputElement>): void {
    if (event.key === 'Enter') event.currentTarget.blur()
  }
  return (
    <input
      key={value}
      type="number"
      min={0}
      step={step}
      aria-label={label}
      defaultValue={value}
      onKeyDown={leaveOnEnter}
      onBlur={({ target }) => {
        if (target.value !== '' && Number(target.value) !== value) onChange(Number(target.value))
      }}
    />
  )
}
