/** What the package exports, as the compiler sees it: names, doc comments, options and their defaults. */
import { readFileSync } from 'node:fs'
import ts from 'typescript'

export const PACKAGE = new URL('../../../', import.meta.url)

const { exports } = JSON.parse(readFileSync(new URL('package.json', PACKAGE), 'utf8')) as {
  exports: Record<string, string>
}

/** `['.', './query', …]` */
export const ENTRIES: readonly string[] = Object.keys(exports).filter((name) => name !== './package.json')

/** `./dist/index.js` for `.`. */
export const builtFile = (entry: string): URL => new URL(exports[entry] ?? '', PACKAGE)

function sourceFile(entry: string): string {
  const base = entry === '.' ? 'index' : entry.slice('./'.length)
  return new URL(`src/${base}.${base === 'react-query' ? 'tsx' : 'ts'}`, PACKAGE).pathname
}

const config = ts.getParsedCommandLineOfConfigFile(new URL('tsconfig.json', PACKAGE).pathname, {}, {
  ...ts.sys,
  onUnRecoverableConfigFileDiagnostic: () => {},
} as ts.ParseConfigFileHost)
const program = ts.createProgram(ENTRIES.map(sourceFile), config?.options ?? {})
const checker = program.getTypeChecker()

/** The exported names of an entry; re-exports are followed to where they are written. */
export function exportsOf(entry: string): readonly ts.Symbol[] {
  const file = program.getSourceFile(sourceFile(entry))
  const module = file && checker.getSymbolAtLocation(file)
  if (!module) throw new Error(`${entry} exports nothing`)
  return checker
    .getExportsOfModule(module)
    .map((symbol) => (symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol))
}

export function docOf(symbol: ts.Symbol): string {
  return oneLine(ts.displayPartsToString(symbol.getDocumentationComment(checker)))
}

/** One field of an interface. */
export interface Option {
  readonly name: string
  readonly doc: string
  readonly isOptional: boolean
  /** The text of `@default`. */
  readonly byDefault: string | undefined
  /** It holds options that are described by an interface of their own. */
  readonly holds: string | undefined
}

/** The fields of an interface, those it inherits included; what other packages wrote is theirs to explain. */
export function optionsOf(symbol: ts.Symbol): readonly Option[] {
  return checker.getDeclaredTypeOfSymbol(symbol).getProperties().filter(isOurs).map(option)
}

function isOurs(field: ts.Symbol): boolean {
  return field.declarations?.every((declaration) => !declaration.getSourceFile().isDeclarationFile) ?? false
}

function option(field: ts.Symbol): Option {
  const byDefault = field.getJsDocTags(checker).find(({ name }) => name === 'default')?.text
  const type = checker.getNonNullableType(checker.getTypeOfSymbol(field))
  const holds = /(Options|Keys)$/.exec(type.symbol?.name ?? '') ? type.symbol.name : undefined
  return {
    name: field.name,
    doc: docOf(field),
    isOptional: (field.flags & ts.SymbolFlags.Optional) !== 0,
    byDefault: byDefault && oneLine(ts.displayPartsToString(byDefault)),
    holds,
  }
}

const oneLine = (text: string): string =>
  text
    .replace(/\{@link\s+([^}]+)\}/g, '`$1`')
    .replace(/\s+/g, ' ')
    .trim()
