/** Cents as people read them. */
const euros = new Intl.NumberFormat('en-IE', { style: 'currency', currency: 'EUR' })
const wholeEuros = new Intl.NumberFormat('en-IE', {
  style: 'currency',
  currency: 'EUR',
  maximumFractionDigits: 0,
})

export const money = (cents: number): string => (cents % 100 === 0 ? wholeEuros : euros).format(cents / 100)
