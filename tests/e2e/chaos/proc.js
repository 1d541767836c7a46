// What Linux tells about a process and its sockets (`/proc`): memory, descriptors, the state of each TCP connection. It
// reads and judges nothing, and asks the process nothing, so that what is watched is not disturbed.
import { readFileSync, readdirSync } from 'node:fs';

const LOOK_EVERY_MS = 200;
const KB_IN_MB = 1024;
const TICK_MS = 10;

/** How many descriptors a process started by this one may have. Node itself raises the soft limit to the hard one. */
export function descriptorsMax() {
  const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
  return Number(soft);
}

/** `wanted` sockets, or as many as the limit of descriptors leaves beside `others`. */
export const affordable = (wanted, others) => Math.max(0, Math.min(wanted, descriptorsMax() - others));

/** Resident memory in MB: what it has now, not what it asked for. */
export function memoryMb(pid) {
  const [, kb] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(kb) / KB_IN_MB;
}

/** Time that all its threads have had a core, in ms since it began. The kernel counts in ticks of 10 ms. */
export function cpuMs(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const [user, system] = stat.slice(stat.lastIndexOf(')') + 2).split(' ').slice(11, 13);   // Behind the name, which may have blanks.
  return (Number(user) + Number(system)) * TICK_MS;
}

export const descriptors = pid => readdirSync(`/proc/${pid}/fd`).length;

/** The memory of one process, looked at all the time. */
export class MemoryWatch {
  samples = [];   // `{ t, mb }`
  #timer;

  constructor(pid, now) {
    const look = () => {
      try {
        this.samples.push({ t: now(), mb: memoryMb(pid) });
      } catch {
        this.stop();   // It ended.
      }
    };
    look();
    this.#timer = setInterval(look, LOOK_EVERY_MS);
  }

  stop() {
    clearInterval(this.#timer);
  }

  between(from, to) {
    return this.samples.filter(({ t }) => t >= from && t <= to);
  }

  peakMb(from, to) {
    return Math.max(...this.between(from, to).map(({ mb }) => mb));
  }

  /** Least squares, in MB a minute. */
  slopeMbPerMinute(from, to) {
    const points = this.between(from, to);
    const mean = name => points.reduce((sum, point) => sum + point[name], 0) / points.length;
    const [t0, mb0] = [mean('t'), mean('mb')];
    const above = points.reduce((sum, { t, mb }) => sum + (t - t0) * (mb - mb0), 0);
    const below = points.reduce((sum, { t }) => sum + (t - t0) ** 2, 0);
    return below === 0 ? 0 : (above / below) * 60_000;
  }
}

const ESTABLISHED = '01';

/**
 * Every TCP connection of this machine over IPv4, by `endsKey`: `{ isOpen, unsent, unread }`. `unsent`: bytes that the
 * other end has not taken; `unread`: bytes that wait for the process. Open means that neither end was closed.
 */
export function tcpConnections() {
  const lines = readFileSync('/proc/net/tcp', 'latin1').split('\n').slice(1);
  const all = new Map();
  for (const line of lines) {
    const [, local, remote, state, queues] = line.trim().split(/\s+/);
    if (remote === undefined) continue;
    const [unsent, unread] = queues.split(':').map(hex => Number.parseInt(hex, 16));
    all.set(`${local}>${remote}`, { isOpen: state === ESTABLISHED, unsent, unread });
  }
  return all;
}

/** The name of a connection in `tcpConnections`, seen from its first end. Ends are `{ address, port }`. */
export const endsKey = (from, to) => `${endHex(from)}>${endHex(to)}`;

/** As the kernel prints it: the address in the order of the machine's bytes (little-endian here), the port as it is read. */
function endHex({ address, port }) {
  const hex = (number, digits) => number.toString(16).toUpperCase().padStart(digits, '0');
  return `${address.split('.').reverse().map(part => hex(Number(part), 2)).join('')}:${hex(port, 4)}`;
}
