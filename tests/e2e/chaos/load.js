// How busy the harness itself is. A generator that has no time left measures itself, not the gateway; so its own load
// stands beside every time that it measured.
import { monitorEventLoopDelay } from 'node:perf_hooks';

const RESOLUTION_MS = 10;
/** Beyond it the times measured are partly those of the harness. */
const LATE_MS = 50;

export class Load {
  #delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  #cpu;
  #since;

  constructor() {
    this.#delay.enable();
    this.mark();
  }

  /** Measures from now on. */
  mark() {
    this.#delay.reset();
    this.#cpu = process.cpuUsage();
    this.#since = performance.now();
  }

  /** Since the mark: `{ cpu, delayP99Ms }`, `cpu` as a share of one core; the delay is how late the event loop was. */
  get figures() {
    const { user, system } = process.cpuUsage(this.#cpu);
    const elapsedMs = performance.now() - this.#since;
    const delayMs = this.#delay.percentile(99) / 1e6 - RESOLUTION_MS;   // It counts from timer to timer.
    return { cpu: (user + system) / 1000 / elapsedMs, delayP99Ms: Math.max(0, delayMs) };
  }
}

/** Of several processes: the cores they take together, and the one that was late the most. */
export function together(loads) {
  return {
    cpu: loads.reduce((sum, { cpu }) => sum + cpu, 0),
    delayP99Ms: Math.max(0, ...loads.map(({ delayP99Ms }) => delayP99Ms)),
  };
}

/** One line of the report: read the times beside it with this in mind. */
export function reportLoad(report, name, { cpu, delayP99Ms }) {
  const isLate = delayP99Ms > LATE_MS;
  const said = `${cpu.toFixed(2)} cores, event loop late p99 ${Math.round(delayP99Ms)} ms`;
  report.goal(`load of ${name}`, said, !isLate, `late < ${LATE_MS} ms`);
}
