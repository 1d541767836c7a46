// More events than a gateway can take, from a process of their own, seen from the one that runs the scenario. Also which
// core does what: where all share the cores, a generator that is told to offer more takes the time of the gateway, and
// then it is its own doing that less is accepted.
import { fork, spawnSync } from 'node:child_process';
import os from 'node:os';
import { fileURLToPath } from 'node:url';

import { within } from '../support/wait.js';

const WORKER = fileURLToPath(new URL('./flood/worker.js', import.meta.url));
const ANSWER_SLACK_MS = 20_000;

export class Flood {
  #process = fork(WORKER);

  constructor(port) {
    this.port = port;
  }

  /** Each of `connections` posts again when it is answered. What came of it, counted after `warmUpMs`, for `ms`. */
  closedLoop(details) {
    return this.#order('closedLoop', details);
  }

  /** `rate` requests a second, whatever comes back, over `connections`. */
  openLoop(details) {
    return this.#order('openLoop', details);
  }

  #order(order, { warmUpMs = 500, ...details }) {
    const answer = new Promise(resolve => this.#process.once('message', resolve));
    this.#process.send({ order, port: this.port, warmUpMs, ...details });
    return within(answer, 'the generator to finish', warmUpMs + details.ms + ANSWER_SLACK_MS);
  }

  close() {
    if (this.#process.connected) this.#process.disconnect();
  }
}

/** Whether processes can be kept on cores of their own here. */
export const hasCores = () => os.cpus().length > 1 && spawnSync('taskset', ['--version']).status === 0;

/** From now on the process runs on this core alone, and so does what it starts. */
export function keepOnCore(pid, core) {
  const { status, stderr } = spawnSync('taskset', ['-a', '-c', '-p', String(core), String(pid)], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`taskset: ${stderr}`);
}
