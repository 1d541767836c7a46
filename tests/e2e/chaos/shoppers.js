// Many shoppers in a few processes, seen from the one that runs the scenario: starts them, tells them which pods are in
// service, and adds up what they report.
import { fork } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { pause, until, within } from '../support/wait.js';

const WORKER = fileURLToPath(new URL('./shoppers/worker.js', import.meta.url));
const CAUGHT_UP_DEADLINE_MS = 60_000;
const SHOPPERS_PER_PROCESS = 500;
/** What is reported is old by this much at most: a report comes every quarter of a second. */
const REPORT_AGE_MS = 500;

export const TRANSPORT_SHARES = { websocket: 40, upgrade: 20, polling: 10, sse: 30 };

export class Shoppers {
  #workers = [];
  #pods;

  /**
   * Starts them and waits until all have joined. `pods`: a `Pods`, followed from now on. `crowd`: how many know
   * `resync_required` (`announcedShare`), and what they look at (`productCount`, `distribution`).
   */
  static async start({ count, seed, pods, directory, transports = TRANSPORT_SHARES, productsEach = 3, ...crowd }) {
    const shoppers = new Shoppers();
    shoppers.count = count;
    shoppers.#pods = pods;
    const workers = Math.ceil(count / SHOPPERS_PER_PROCESS);
    for (let index = 0; index < workers; index++) {
      const first = Math.floor((count * index) / workers);
      const own = Math.floor((count * (index + 1)) / workers) - first;
      const historyPath = path.join(directory, `history-shoppers-${index + 1}.jsonl`);
      const worker = new Worker(historyPath);
      shoppers.#workers.push(worker);
      worker.send('start', { ...crowd, historyPath, seed: seed + 1 + index, first, count: own, transports, productsEach, pods: shoppers.#view() });
    }
    pods.onChange = () => shoppers.#tellPods();
    await shoppers.caughtUp();
    return shoppers;
  }

  get historyPaths() {
    return this.#workers.map(worker => worker.historyPath);
  }

  /** Sums over all processes: `{ caughtUp, batches, events, refetches, unanswered }`, a quarter of a second old at most. */
  get tally() {
    const sum = { caughtUp: 0, batches: 0, events: 0, refetches: 0, unanswered: 0 };
    for (const { tally } of this.#workers) for (const name of Object.keys(tally)) sum[name] += tally[name];
    return sum;
  }

  /** Waits until every one of them is connected, joined and answered, by reports from after the call. */
  async caughtUp(deadlineMs = CAUGHT_UP_DEADLINE_MS) {
    await pause(REPORT_AGE_MS);
    await until(() => this.tally.caughtUp === this.count, () => `${this.count} shoppers to be caught up, ${this.tally.caughtUp} are`, deadlineMs);
  }

  /** Waits until nothing has come for `ms`. Positions do not count: they come for ever. */
  async quiet(ms, deadlineMs = CAUGHT_UP_DEADLINE_MS) {
    let last = -1;
    let since = performance.now();
    await until(() => {
      const { batches, refetches } = this.tally;
      if (batches + refetches !== last) since = performance.now();
      last = batches + refetches;
      return performance.now() - since >= ms;
    }, 'a quiet time of all shoppers', deadlineMs);
  }

  async stop() {
    await Promise.all(this.#workers.map(worker => worker.stop()));
  }

  #tellPods() {
    for (const worker of this.#workers) worker.send('pods', { pods: this.#view() });
  }

  #view() {
    return this.#pods.all.map(pod => ({ name: pod.name, url: pod.url, inService: this.#pods.inService.includes(pod) }));
  }
}

class Worker {
  tally = {};

  constructor(historyPath) {
    this.historyPath = historyPath;
    this.process = fork(WORKER);   // It ends itself when the channel to this process closes.
    this.ended = new Promise(resolve => this.process.once('exit', resolve));
    this.process.on('message', message => { if (message.tally) this.tally = message.tally; });
    this.ended.then(code => { if (code !== 0) throw new Error(`a process of shoppers ended with ${code}`); });
  }

  send(order, details = {}) {
    if (this.process.connected) this.process.send({ order, ...details });
  }

  async stop() {
    this.send('stop');
    await within(this.ended, 'a process of shoppers to end');
  }
}
