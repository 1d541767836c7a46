/** What every drawn form is given: its two colours. */

export interface FormProps {
  readonly colour: string
  readonly accent: string
}
