// The settings and their defaults. `make check` runs before anything is built: there they come from the README's table,
// which `cargo test` holds against the list in the code. Where there is a binary, it is asked.
import { ask, BINARY, read } from './tools.js';

/** `{ DRAIN_DELAY_MS: '5000', ... }`; a setting without a default is `undefined`. */
export const defaults = () => (BINARY ? fromHelp(ask('--help')) : fromTable(read('README.md')));

export function fromTable(text) {
  const table = text.slice(text.indexOf('<!-- settings: begin -->'), text.indexOf('<!-- settings: end -->'));
  const rows = [...table.matchAll(/^\| `([A-Z_]+)` \| (?:`([^`]*)`|unset) \|/gm)];
  return Object.fromEntries(rows.map(([, name, value]) => [name, value]));
}

export function fromHelp(text) {
  const settings = text.slice(text.indexOf('Settings:'));
  const rows = [...settings.matchAll(/^ +--([a-z-]+) <VALUE>\n((?: {7,}.*\n?)+)/gm)];
  return Object.fromEntries(rows.map(([, flag, about]) => [flag.toUpperCase().replaceAll('-', '_'), /\[default: (.*?)\]/.exec(about)?.[1]]));
}
