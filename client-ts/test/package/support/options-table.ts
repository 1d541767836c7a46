/** The tables of options in the README: written from the comments in the source. */
import { ENTRIES, exportsOf, type Option, optionsOf } from './exports.js'

const PLACE = /<!-- options (\w+) -->\n[\s\S]*?<!-- end -->/g

/** The README with every table as it should be. */
export function withTables(readme: string): string {
  return readme.replace(
    PLACE,
    (_, name: string) => `<!-- options ${name} -->\n${tableOf(name)}\n<!-- end -->`,
  )
}

export const tableNames = (readme: string): string[] =>
  [...readme.matchAll(PLACE)].map(([, name]) => name as string)

function tableOf(name: string): string {
  const symbol = ENTRIES.flatMap(exportsOf).find((symbol) => symbol.name === name)
  if (!symbol) throw new Error(`${name} is no export of any entry`)
  return ['| Option | | Default |', '|---|---|---|', ...optionsOf(symbol).map(row)].join('\n')
}

function row({ name, doc, isOptional, byDefault, holds }: Option): string {
  const end = isOptional ? (byDefault ?? (holds ? 'see there' : '')) : 'required'
  return `| \`${name}\` | ${cell(doc)} | ${cell(end)} |`
}

const cell = (text: string): string => text.replaceAll('|', '\\|')
