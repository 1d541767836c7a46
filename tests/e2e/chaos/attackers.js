// Clients that mean harm, in processes of their own, seen from the one that runs the scenario: starts and ends them and
// adds up what they count. What each kind does is in `attackers/`; none of it leaves 127.0.0.0/8.
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { within } from '../support/wait.js';
import { together } from './load.js';

const WORKER = fileURLToPath(new URL('./attackers/worker.js', import.meta.url));

export class Attackers {
  #workers;

  /**
   * Starts them. `attacks`: how many of each kind, a name of `attackers/kinds.js` each. Every process takes its part of each,
   * from a source address of its own.
   */
  constructor({ port, processes, attacks }) {
    this.#workers = Array.from({ length: processes }, (_, index) => {
      const part = count => {
        const [first, next] = [index, index + 1].map(at => Math.floor((count * at) / processes));
        return { first, count: next - first };
      };
      const own = Object.fromEntries(Object.entries(attacks).map(([kind, count]) => [kind, part(count)]));
      return new Worker({ port, address: `127.0.0.${2 + index}`, attacks: own });
    });
  }

  /** What they see now, added up: `{ kinds: { kind: { name: number or list of ms } }, load }`. */
  async counts() {
    const all = await Promise.all(this.#workers.map(worker => worker.counts()));
    const kinds = {};
    for (const [kind, figures] of all.flatMap(part => Object.entries(part.kinds))) {
      const sum = (kinds[kind] ??= {});
      for (const [name, value] of Object.entries(figures)) {
        sum[name] = Array.isArray(value) ? [...(sum[name] ?? []), ...value] : (sum[name] ?? 0) + value;
      }
    }
    return { kinds, load: together(all.map(part => part.load)) };
  }

  async stop() {
    await Promise.all(this.#workers.map(worker => worker.stop()));
  }
}

class Worker {
  #process = fork(WORKER);
  #ended = new Promise(resolve => this.#process.once('exit', resolve));

  constructor(details) {
    this.send('start', details);
  }

  send(order, details = {}) {
    if (this.#process.connected) this.#process.send({ order, ...details });
  }

  counts() {
    const answer = new Promise(resolve => this.#process.once('message', resolve));
    this.send('counts');
    return within(answer, 'a process of attackers to answer');
  }

  async stop() {
    this.send('stop');
    await within(this.#ended, 'a process of attackers to end');
  }
}
