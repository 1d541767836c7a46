// Gateway processes as an orchestrator has them: started, found ready, killed, drained, started again on the same port.
// Their output goes to files. Which pods clients may be sent to (the load balancer's view) is kept here too.
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import path from 'node:path';

import { BINARY, environment, freePort } from '../support/gateway.js';
import { request } from '../support/http.js';
import { until, within } from '../support/wait.js';

const READY_DEADLINE_MS = 30_000;
const DRAIN_SLACK_MS = 10_000;   // The contract's 5 s after the spread, and 5 s for a busy machine.

export class Pod {
  #env;
  #logFile;
  #process = null;

  /** A `ChaosProxy` that clients go through; publishers do not. */
  door = null;

  constructor(name, port, logFile, env) {
    this.name = name;
    this.port = port;
    this.#logFile = logFile;
    this.#env = env;
    pods.add(this);
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Where clients are sent: its own address, or a wire before it. */
  get clientUrl() {
    return this.door === null ? this.url : `http://127.0.0.1:${this.door.port}`;
  }

  /** Of the process that runs now. */
  get pid() {
    return this.#process?.pid;
  }

  get isRunning() {
    return this.#process !== null;
  }

  async start() {
    const log = openSync(this.#logFile, 'a');
    const env = environment({ LOG_LEVEL: 'info', ...this.#env, PORT: String(this.port) });
    const child = spawn(BINARY, [], { env, stdio: ['ignore', log, log] });
    closeSync(log);
    this.#process = child;
    this.ended = new Promise(resolve => {
      child.once('error', error => resolve(`did not start: ${error.message}`));
      child.once('exit', (code, signal) => resolve(signal ?? code));
    });
    this.ended.then(() => { if (this.#process === child) this.#process = null; });
    await until(() => this.isReady(), `${this.name} to be ready, log in ${this.#logFile}`, READY_DEADLINE_MS);
  }

  async isReady() {
    if (!this.#process) throw new Error(`${this.name} ended: ${await this.ended}, log in ${this.#logFile}`);
    return request(this, '/health/ready').then(answer => answer.status === 200, () => false);
  }

  async kill9() {
    if (!this.#process) return;
    this.killNow();
    await within(this.ended, `${this.name} to end after SIGKILL`);
  }

  killNow() {
    this.#process?.kill('SIGKILL');
  }

  /** SIGTERM, and the wait for its end: anything but exit code 0 in time is a failure. */
  async drain() {
    const { DRAIN_DELAY_MS, DRAIN_SPREAD_MS } = environment(this.#env);
    process.kill(this.#process.pid, 'SIGTERM');
    const end = await within(this.ended, `${this.name} to end after SIGTERM`, Number(DRAIN_DELAY_MS) + Number(DRAIN_SPREAD_MS) + DRAIN_SLACK_MS);
    if (end !== 0) throw new Error(`${this.name} ended with ${end} after SIGTERM, log in ${this.#logFile}`);
  }

  stop() {
    process.kill(this.#process.pid, 'SIGSTOP');
  }

  resume() {
    process.kill(this.#process.pid, 'SIGCONT');
  }

  async health() {
    return (await request(this, '/health')).json;
  }

  /** What `/metrics` says, by name and labels as they are printed: `shelfcast_connections{transport="sse"}`. */
  async metrics() {
    const { text } = await request(this, '/metrics');
    const lines = text.split('\n').filter(line => line !== '' && !line.startsWith('#'));
    return new Map(lines.map(line => {
      const space = line.lastIndexOf(' ');
      return [line.slice(0, space), Number(line.slice(space + 1))];
    }));
  }
}

export class Pods {
  #inService = new Set();

  /** `onChange` is told whenever the pods in service change. */
  constructor(all, onChange = () => {}) {
    this.all = all;
    this.onChange = onChange;
  }

  /** `envOf(index)` is added to the environment of each. */
  static async start(count, { directory, envOf = () => ({}) }) {
    const all = [];
    for (let index = 0; index < count; index++) {
      const name = `pod-${index + 1}`;
      all.push(new Pod(name, await freePort(), path.join(directory, `${name}.log`), envOf(index)));
    }
    const pods = new Pods(all);
    await Promise.all(all.map(pod => pod.start()));
    for (const pod of all) pods.putInService(pod);
    return pods;
  }

  /** Where a load balancer would send a client or a publisher now. */
  get inService() {
    return this.all.filter(pod => this.#inService.has(pod));
  }

  putInService(pod) {
    this.#inService.add(pod);
    this.onChange();
  }

  takeOutOfService(pod) {
    this.#inService.delete(pod);
    this.onChange();
  }

  async kill9(pod) {
    pod.killNow();
    this.takeOutOfService(pod);
    await pod.kill9();
  }

  async drain(pod) {
    this.takeOutOfService(pod);
    await pod.drain();
  }

  async start(pod) {
    await pod.start();
    this.putInService(pod);
  }

  /** The end of a run; nobody is left to be told. */
  async killAll() {
    await Promise.all(this.all.map(pod => pod.kill9()));
  }
}

// No pod outlives the process that started it.
const pods = new Set();
process.on('exit', () => { for (const pod of pods) pod.killNow(); });
