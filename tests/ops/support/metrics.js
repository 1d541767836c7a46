// Which metrics expressions ask for, and which there are.
import { read } from './tools.js';

/** Names of series in a PromQL expression, with the values of labels they are asked for: `[{ name, labels }]`. */
export function asked(expression) {
  return [...expression.matchAll(/\b(shelfcast_\w+)(?:\{([^}]*)\})?/g)].map(([, name, selector = '']) => {
    const labels = [...selector.matchAll(/(\w+)(=~|=|!=)"([^"]*)"/g)].filter(([, , , value]) => !value.startsWith('$'));
    return { name, labels: labels.map(([, label, , value]) => ({ label, values: value.split('|') })) };
  });
}

/** What a text of metrics, or a list of their names, holds: name to the label sets there are. */
export function known(text) {
  const all = new Map();
  for (const line of text.split('\n').filter(line => line.startsWith('shelfcast_'))) {
    const [, name, labels = ''] = /^(\w+)(?:\{(.*)\})?/.exec(line);
    const set = Object.fromEntries([...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, label, value]) => [label, value]));
    all.set(name, [...(all.get(name) ?? []), set]);
  }
  return all;
}

/** What is asked for and not there; labels in `open` may have any value. */
export function missing(expression, there, open = []) {
  return asked(expression).flatMap(({ name, labels }) => {
    const sets = there.get(name);
    if (sets === undefined) return [name];
    const closed = labels.filter(({ label }) => !open.includes(label));
    const isThere = (label, value) => sets.some(set => set[label] === value);
    return closed.flatMap(({ label, values }) => values.filter(value => !isThere(label, value)).map(value => `${name}{${label}="${value}"}`));
  });
}

/** Every expression of a dashboard: `[{ title, expr }]`. */
export const ofDashboard = ({ panels }) => panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ title, expr })));

/** Every expression of a file of rules. */
export const ofRules = ({ groups }) => groups.flatMap(({ rules }) => rules.map(({ alert, record, expr }) => ({ title: alert ?? record, expr })));

/** The list that `cargo test` compares with what a gateway prints; what the process tells of itself is not in it. */
export function listed() {
  const there = known(read('tests/it/snapshots/it__health__the_list_of_metrics.snap'));
  for (const name of [...there.keys()].filter(name => name.endsWith('_sum'))) there.set(name.replace(/_sum$/, '_bucket'), [{}]);
  for (const name of ['cpu_seconds_total', 'resident_memory_bytes', 'open_fds', 'max_fds']) there.set(`shelfcast_process_${name}`, [{}]);
  return there;
}
