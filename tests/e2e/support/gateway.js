// Starts and ends the real gateway, one process a gateway, on a port of its own.
import { spawn } from 'node:child_process';
import net from 'node:net';
import { fileURLToPath } from 'node:url';

import { request } from './http.js';
import { until, within } from './wait.js';

export const BINARY = process.env.SHELFCAST_BIN ?? fileURLToPath(new URL('../../../target/debug/shelfcast', import.meta.url));
export const API_KEY = 'e2e-key-0b7e4c1f9a5d4e63b2c8f70d51a6';

/** Short, so that a graceful end takes no time; long enough to be walked through. */
const DRAIN = { DRAIN_DELAY_MS: '0', DRAIN_SPREAD_MS: '200' };
const DRAIN_DEADLINE_MS = 200 + 5_000 + 5_000;   // The contract's 5 s after the spread, and 5 s for a busy machine.
const OUTPUT_CHARS_MAX = 64 * 1024;

export class Gateway {
  #env;
  #process = null;
  #output = '';
  #binary;

  constructor(port, env, binary = BINARY) {
    this.port = port;
    this.#env = env;
    this.#binary = binary;
    gateways.add(this);
  }

  /** A ready gateway. `env` adds to the defaults below. `binary`: another build of it. */
  static async start(env = {}, binary = BINARY) {
    const gateway = new Gateway(await freePort(), env, binary);
    await gateway.start();
    return gateway;
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  get pid() {
    return this.#process?.pid;
  }

  get output() {
    return this.#output;
  }

  async start() {
    const child = spawn(this.#binary, [], { env: environment({ PORT: String(this.port), ...this.#env }), stdio: ['ignore', 'pipe', 'pipe'] });
    this.#process = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8');
      stream.on('data', text => { this.#output = (this.#output + text).slice(-OUTPUT_CHARS_MAX); });
    }
    this.ended = new Promise(resolve => {
      child.once('error', error => resolve(`did not start: ${error.message}`));
      child.once('exit', (code, signal) => resolve(signal ?? code));
    });
    this.ended.then(() => { if (this.#process === child) this.#process = null; });
    await until(() => this.#isReady(), () => `GET /health/ready of the gateway\n${this.output}`);
  }

  /** Ends it as an orchestrator does; anything but exit code 0 in time is a failure. */
  async stop() {
    if (!this.#process) return;
    process.kill(this.#process.pid, 'SIGTERM');
    let end;
    try {
      end = await within(this.ended, 'the gateway to end after SIGTERM', DRAIN_DEADLINE_MS);
    } catch (error) {
      await this.kill();
      throw new Error(`${error.message}\n${this.output}`);
    }
    if (end !== 0) throw new Error(`the gateway ended with ${end} after SIGTERM\n${this.output}`);
  }

  /** Ends it as a power cut does. */
  async kill() {
    if (!this.#process) return;
    this.killNow();
    await within(this.ended, 'the gateway to end after SIGKILL');
  }

  killNow() {
    this.#process?.kill('SIGKILL');
  }

  async health() {
    return (await request(this, '/health')).json;
  }

  async #isReady() {
    if (!this.#process) throw new Error(`the gateway ended early: ${await this.ended}\n${this.output}`);
    try {
      return (await request(this, '/health/ready')).status === 200;
    } catch {
      return false;
    }
  }
}

/** What every process of the binary gets: known defaults and nothing of the machine's own settings but the path. */
export function environment(more = {}) {
  const { PATH, HOME } = process.env;
  return { PATH, HOME, RUST_BACKTRACE: '1', HOST: '127.0.0.1', INTERNAL_API_KEY: API_KEY, LOG_LEVEL: 'warn', ...DRAIN, ...more };
}

/**
 * A free port below the range that outgoing connections take theirs from: between the end and the new start of a
 * gateway nobody else gets it, and no client can connect to itself on it.
 */
export async function freePort() {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    const isFree = await new Promise(resolve => {
      const probe = net.createServer().once('error', () => resolve(false));
      probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
    });
    if (isFree) return port;
  }
}

// No gateway outlives its test process, and a failing file shows what its gateways said.
const gateways = new Set();
process.on('exit', code => {
  for (const gateway of gateways) {
    gateway.killNow();
    if ((code || process.exitCode) && gateway.output) console.error(`--- the gateway on port ${gateway.port} said:\n${gateway.output}`);
  }
});
for (const [signal, number] of [['SIGHUP', 1], ['SIGINT', 2], ['SIGTERM', 15]]) process.once(signal, () => process.exit(128 + number));
