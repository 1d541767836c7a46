// Figures that manifests, alerts and settings have to agree with, each from where it is decided.
import { read } from './tools.js';

/** The first number that `pattern` finds in a file; one that is not there any more is an error. */
export function numberIn(file, pattern) {
  const found = pattern.exec(read(file));
  if (found === null) throw new Error(`${pattern} is not in ${file}`);
  return Number(found[1].replaceAll('_', ''));
}

/** What the end of a process may take beyond delay and spread. */
export const DRAIN_GRACE_MS = 1_000 * numberIn('src/config/drain.rs', /GRACE: Duration = Duration::from_secs\((\d+)\)/);

/** What docs/runbook.md tells about memory: of a process without clients, and of each connection. */
export const PROCESS_BYTES = 1e6 * numberIn('docs/runbook.md', /A process without clients takes (\d+) MB/);
export const CONNECTION_BYTES = 1e3 * numberIn('docs/runbook.md', /each connection up to (\d+) kB/);

/** The longest that a connection is silent. */
export const SILENT_SECS = numberIn('README.md', /Socket\.IO connection is silent for up to (\d+) s/);

/** `3Gi`, `512Mi`, `600mb` in bytes. */
export function bytes(text) {
  const [, count, unit] = /^(\d+)(Gi|Mi|mb)?$/.exec(text);
  return Number(count) * { Gi: 2 ** 30, Mi: 2 ** 20, mb: 2 ** 20, undefined: 1 }[unit];
}
