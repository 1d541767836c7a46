// Real redis-server processes that can be killed, stopped and started again, and a client of our own for the few
// commands that this needs. The client does not reconnect: a test that loses Redis wants to know.
import { spawn } from 'node:child_process';
import { mkdtempSync, openSync, closeSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { freePort } from '../support/gateway.js';
import { until, within } from '../support/wait.js';

const ANSWER_DEADLINE_MS = 10_000;

export class RedisServer {
  #options;
  #process = null;

  constructor(port, directory, options) {
    this.port = port;
    this.directory = directory;
    this.#options = options;
    servers.add(this);
  }

  /** `persistence`: none or aof. `replicaOf`: `{ host, port }` of its primary. */
  static async start({ persistence = 'none', replicaOf = null, parent = tmpdir() } = {}) {
    const server = new RedisServer(await freePort(), mkdtempSync(path.join(parent, 'redis-')), { persistence, replicaOf });
    await server.start();
    return server;
  }

  /** Of the process that runs now. */
  get pid() {
    return this.#process?.pid;
  }

  get url() {
    return `redis://127.0.0.1:${this.port}`;
  }

  get address() {
    return { host: '127.0.0.1', port: this.port };
  }

  /** On the same port and in the same directory as before: with `aof` it has its data again, else it is empty. */
  async start({ replicaOf = this.#options.replicaOf } = {}) {
    const log = openSync(path.join(this.directory, 'redis.log'), 'a');
    const child = spawn('redis-server', this.#arguments(replicaOf), { stdio: ['ignore', log, log] });
    closeSync(log);
    this.#process = child;
    this.ended = new Promise(resolve => {
      child.once('error', error => resolve(`redis-server did not start: ${error.message}`));
      child.once('exit', (code, signal) => resolve(signal ?? code));
    });
    this.ended.then(() => { if (this.#process === child) this.#process = null; });
    await until(() => this.#answers(), `redis-server on port ${this.port}, log in ${this.directory}`);
  }

  #arguments(replicaOf) {
    const settings = {
      port: this.port,
      bind: '127.0.0.1',
      dir: this.directory,
      save: '',
      appendonly: this.#options.persistence === 'aof' ? 'yes' : 'no',
      'enable-debug-command': 'yes',
      'repl-diskless-sync-delay': 0,   // A replica of a test need not wait for others to join it.
      'repl-ping-replica-period': 1,
    };
    const given = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
    return replicaOf ? [...given, '--replicaof', replicaOf.host, String(replicaOf.port)] : given;
  }

  async #answers() {
    if (!this.#process) throw new Error(`redis-server on port ${this.port} ended early: ${await this.ended}`);
    return this.command('PING').then(answer => answer === 'PONG', () => false);
  }

  // === what happens to it ===

  async kill9() {
    if (!this.#process) return;
    this.killNow();
    await within(this.ended, 'redis-server to end after SIGKILL');
  }

  killNow() {
    this.#process?.kill('SIGKILL');
  }

  /** SIGSTOP: connections stay, nothing is answered; what came meanwhile is done after `resume`. */
  stop() {
    process.kill(this.#process.pid, 'SIGSTOP');
  }

  resume() {
    process.kill(this.#process.pid, 'SIGCONT');
  }

  pauseClients(ms) {
    return this.command('CLIENT', 'PAUSE', ms, 'ALL');
  }

  flushAll() {
    return this.command('FLUSHALL');
  }

  /** Disconnects everyone who has a Pub/Sub subscription. */
  killSubscribers() {
    return this.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
  }

  promote() {
    return this.command('REPLICAOF', 'NO', 'ONE');
  }

  follow({ host, port }) {
    return this.command('REPLICAOF', host, port);
  }

  /** Waits until it has everything that its primary had when it was asked. */
  async synced() {
    await until(async () => /master_link_status:up/.test(await this.command('INFO', 'replication')), 'the replica to follow its primary', 30_000);
  }

  /** One command on a connection of its own. */
  async command(...words) {
    const client = await RespClient.connect(this.address);
    try {
      return await client.command(...words);
    } finally {
      client.close();
    }
  }

  connect() {
    return RespClient.connect(this.address);
  }

  remove() {
    this.killNow();
    rmSync(this.directory, { recursive: true, force: true });
    servers.delete(this);
  }
}

/** The Redis protocol, version 2: commands out, answers back in the same order. */
export class RespClient {
  #socket;
  #waiting = [];
  #bytes = Buffer.alloc(0);

  static async connect({ host = '127.0.0.1', port }) {
    const client = new RespClient();
    const socket = net.connect({ host, port });
    client.#socket = socket;
    await within(new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject)), `Redis on port ${port}`);
    socket.on('error', () => {});   // 'close' follows and tells those who wait.
    socket.on('close', () => client.#fail(new Error('Redis closed the connection')));
    socket.on('data', chunk => client.#read(chunk));
    return client;
  }

  command(...words) {
    const parts = words.map(word => Buffer.from(String(word)));
    const frame = parts.flatMap(part => [Buffer.from(`$${part.length}\r\n`), part, CRLF]);
    const answer = new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
    if (this.#socket.destroyed) this.#fail(new Error('Redis closed the connection'));
    else this.#socket.write(Buffer.concat([Buffer.from(`*${parts.length}\r\n`), ...frame]));
    return within(answer, `the answer to ${words[0]}`, ANSWER_DEADLINE_MS);
  }

  close() {
    this.#socket.destroy();
  }

  #read(chunk) {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
    for (let answer; (answer = parseAnswer(this.#bytes, 0));) {
      this.#bytes = this.#bytes.subarray(answer.end);
      const { resolve, reject } = this.#waiting.shift();
      if (answer.value instanceof Error) reject(answer.value);
      else resolve(answer.value);
    }
  }

  #fail(error) {
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }
}

const CRLF = Buffer.from('\r\n');

/** The answer that begins at `at` and where it ends, or null while it is not there whole. Text, number, list or null. */
function parseAnswer(bytes, at) {
  const lineEnd = bytes.indexOf(CRLF, at);
  if (lineEnd < 0) return null;
  const line = bytes.toString('utf8', at + 1, lineEnd);
  const next = lineEnd + CRLF.length;
  switch (String.fromCharCode(bytes[at])) {
    case '+': return { value: line, end: next };
    case '-': return { value: new Error(line), end: next };
    case ':': return { value: Number(line), end: next };
    case '$': return parseText(bytes, next, Number(line));
    case '*': return parseList(bytes, next, Number(line));
    default: throw new Error(`not a Redis answer: ${line}`);
  }
}

function parseText(bytes, at, length) {
  if (length < 0) return { value: null, end: at };
  const end = at + length + CRLF.length;
  return bytes.length < end ? null : { value: bytes.toString('utf8', at, at + length), end };
}

function parseList(bytes, at, length) {
  if (length < 0) return { value: null, end: at };
  const value = [];
  let end = at;
  for (let i = 0; i < length; i++) {
    const item = parseAnswer(bytes, end);
    if (!item) return null;
    value.push(item.value);
    end = item.end;
  }
  return { value, end };
}

// No redis-server outlives the process that started it.
const servers = new Set();
process.on('exit', () => { for (const server of servers) server.killNow(); });
