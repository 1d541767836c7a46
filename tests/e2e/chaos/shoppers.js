// Many shoppers in a few processes, seen from the one that runs the scenario: starts them, tells them which pods are in
// service, and adds up what they report.
import { fork } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { pause, until, within } from '../support/wait.js';
import { together } from './load.js';

const WORKER = fileURLToPath(new URL('./shoppers/worker.js', import.meta.url));
const CAUGHT_UP_DEADLINE_MS = 60_000;
const SHOPPERS_PER_PROCESS = 500;
/** What is reported is old by this much at most: a report comes every quarter of a second. */
const REPORT_AGE_MS = 500;

export const TRANSPORT_SHARES = { websocket: 40, upgrade: 20, polling: 10, sse: 30 };

export class Shoppers {
  #workers = [];
  #common;
  #pods;
  count = 0;

  /**
   * Starts them and waits until all have joined. `pods`: a `Pods`, followed from now on. `crowd`: how many know
   * `resync_required` (`announcedShare`), and what they look at (`productCount`, `distribution`).
   */
  static async start({ count, seed, pods, directory, transports = TRANSPORT_SHARES, productsEach = 3, ...crowd }) {
    const shoppers = new Shoppers();
    shoppers.#pods = pods;
    shoppers.#common = { ...crowd, seed, directory, transports, productsEach };
    pods.onChange = () => shoppers.#tellPods();
    await shoppers.add(count);
    return shoppers;
  }

  /** More of the same, in processes of their own. Waits until all have joined. */
  async add(count) {
    const { directory, seed, ...common } = this.#common;
    const processes = Math.ceil(count / SHOPPERS_PER_PROCESS);
    for (let index = 0; index < processes; index++) {
      const first = Math.floor((count * index) / processes);
      const own = Math.floor((count * (index + 1)) / processes) - first;
      const number = this.#workers.length + 1;
      const historyPath = path.join(directory, `history-shoppers-${number}.jsonl`);
      const worker = new Worker(historyPath);
      this.#workers.push(worker);
      worker.send('start', { ...common, historyPath, seed: seed + number, first: this.count + first, count: own, pods: this.#view() });
    }
    this.count += count;
    await this.caughtUp();
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

  /** Their load is measured from now on. */
  markLoad() {
    for (const worker of this.#workers) worker.send('mark');
  }

  /** Since the mark, of all processes together; a quarter of a second old at most. */
  get load() {
    return together(this.#workers.map(worker => worker.load));
  }

  async stop() {
    await Promise.all(this.#workers.map(worker => worker.stop()));
  }

  #tellPods() {
    for (const worker of this.#workers) worker.send('pods', { pods: this.#view() });
  }

  #view() {
    return this.#pods.all.map(pod => ({ name: pod.name, url: pod.clientUrl, inService: this.#pods.inService.includes(pod) }));
  }
}

class Worker {
  tally = {};
  load = { cpu: 0, delayP99Ms: 0 };

  constructor(historyPath) {
    this.historyPath = historyPath;
    this.process = fork(WORKER);   // It ends itself when the channel to this process closes.
    this.ended = new Promise(resolve => this.process.once('exit', resolve));
    this.process.on('message', ({ tally = this.tally, load = this.load }) => Object.assign(this, { tally, load }));
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
