// A TCP proxy that misbehaves on command: late, slow, silent, cut, reset, refusing. It knows bytes, not what they mean.
//
// Bytes that a black hole swallowed are gone, where a real network would send them again once it heals. So a
// connection that lost any is reset at `heal`: what its ends see is a broken connection, never a stream with a hole.
import net from 'node:net';

import { freePort } from '../support/gateway.js';
import { pause } from '../support/wait.js';

/** Throttled bytes leave in slices of this part of a second, so that the pace is even. */
const THROTTLE_SLICE_MS = 50;
/** All clients may come at once. One that does not fit is let in by the kernel's next try, after 1 s, 3 s or 7 s. */
const BACKLOG = 4096;

export class ChaosProxy {
  #target;
  #server;
  #connections = new Set();
  #rules = freshRules();

  constructor(target, port) {
    this.#target = target;
    this.port = port;
  }

  /** `target`: `{ host, port }`, host 127.0.0.1 if missing. */
  static async start(target) {
    const proxy = new ChaosProxy(target, await freePort());
    await proxy.accept();
    return proxy;
  }

  /** How many connections are open now. */
  get connections() {
    return this.#connections.size;
  }

  // === weather ===

  /** Everything passes again; connections that lost bytes are reset. */
  heal() {
    this.#rules = freshRules();
    for (const connection of this.#connections) if (connection.isBroken) connection.reset();
  }

  /** Every chunk arrives `ms` later, each way. */
  delay(ms) {
    this.#rules.delayMs = ms;
  }

  /** At most this much passes in a second, per connection and way. */
  throttle(bytesPerSecond) {
    this.#rules.bytesPerSecond = bytesPerSecond;
  }

  /** Swallows what comes and keeps the sockets open. `way`: `up` (to the server), `down` or `both`. */
  blackHole(way = 'both') {
    for (const each of way === 'both' ? ['up', 'down'] : [way]) this.#rules.swallow[each] = true;
  }

  /** Resets each connection after `bytes` more have come down. */
  cutAfter(bytes) {
    for (const connection of this.#connections) connection.downBytes = 0;
    this.#rules.cutAfterBytes = bytes;
  }

  /** The connection that gets the next reply loses it and the `chunks - 1` after it, and is reset. Once. */
  dropNextReply(chunks = 1) {
    this.#rules.dropChunks = chunks;
  }

  /** Replies are swallowed for `ms`; then every connection that lost one is reset, as if the server's end had died. */
  async dropRepliesFor(ms) {
    this.#rules.swallow.down = true;
    await pause(ms);
    this.#rules.swallow.down = false;
    for (const connection of this.#connections) if (connection.isBroken) connection.reset();
  }

  /** The ends of the clients first: to them it is one moment. */
  resetAll() {
    for (const connection of this.#connections) endAbruptly(connection.near);
    for (const connection of this.#connections) connection.reset();
  }

  /** New connections go to another server; those that are open stay where they are. */
  retarget(target) {
    this.#target = target;
  }

  /** New connections are refused by the operating system, as where no process listens. */
  async refuse() {
    const server = this.#server;
    this.#server = null;
    if (server) server.close();   // Its callback waits for open connections, which may stay.
  }

  async accept() {
    if (this.#server) return;
    const server = net.createServer({ allowHalfOpen: true }, near => this.#connect(near));
    await new Promise((resolve, reject) => server.once('error', reject).listen({ port: this.port, host: '127.0.0.1', backlog: BACKLOG }, resolve));
    this.#server = server;
  }

  async close() {
    await this.refuse();
    this.resetAll();
  }

  // === one connection ===

  #connect(near) {
    const far = net.connect({ host: '127.0.0.1', ...this.#target, allowHalfOpen: true });
    const connection = {
      near,
      isBroken: false,   // Something was lost in a black hole: bytes, or the news that an end is gone.
      downBytes: 0,
      dropsLeft: 0,
      reset() {
        endAbruptly(near);
        endAbruptly(far);
      },
    };
    this.#connections.add(connection);
    for (const end of [near, far]) {
      end.setNoDelay(true);
      end.on('error', () => this.#endHard(connection));
      end.on('close', () => { if (near.destroyed && far.destroyed) this.#connections.delete(connection); });
    }
    this.#carry(near, far, 'up', connection);
    this.#carry(far, near, 'down', connection);
  }

  async #carry(from, to, way, connection) {
    let arrival = Promise.resolve();
    try {
      // The end of one way is not the end of the other: the iterator must not destroy the socket with the stream.
      for await (const chunk of from.iterator({ destroyOnReturn: false })) {
        if (this.#takesAway(chunk, way, connection)) continue;
        await this.#pace(chunk, to, piece => {
          const { delayMs } = this.#rules;
          // One after another: what was sent first arrives first, also when the delay changes on the way.
          const due = delayMs > 0 ? pause(delayMs) : null;
          arrival = arrival.then(() => due).then(() => written(to, piece));
          return due ? null : arrival;   // Waiting for what is delayed would let through one chunk a delay.
        });
      }
      await arrival;
      if (this.#rules.swallow[way]) connection.isBroken = true;
      else if (!connection.isBroken) to.end();
    } catch {
      this.#endHard(connection);
    }
  }

  /** An end that breaks breaks the other, unless the hole between them keeps the news from passing. */
  #endHard(connection) {
    const { up, down } = this.#rules.swallow;
    if (up || down) connection.isBroken = true;
    else connection.reset();
  }

  /** Whether the chunk is lost here: in the hole, or with the connection. */
  #takesAway(chunk, way, connection) {
    const rules = this.#rules;
    if (rules.swallow[way]) {
      connection.isBroken = true;
      return true;
    }
    if (way === 'up') return false;
    if (rules.dropChunks > 0) {
      connection.dropsLeft = rules.dropChunks;
      rules.dropChunks = 0;
    }
    if (connection.dropsLeft > 0) {
      connection.dropsLeft -= 1;
      if (connection.dropsLeft === 0) connection.reset();
      return true;
    }
    connection.downBytes += chunk.length;
    if (connection.downBytes > rules.cutAfterBytes) {
      connection.reset();
      return true;
    }
    return false;
  }

  /** Hands the chunk on, in slices if throttled. While it waits nothing is read, so the sender feels it. */
  async #pace(chunk, to, pass) {
    let rest = chunk;
    while (rest.length > 0 && !to.destroyed) {
      const { bytesPerSecond } = this.#rules;
      if (bytesPerSecond === Infinity) return pass(rest);
      const slice = Math.max(1, Math.floor((bytesPerSecond * THROTTLE_SLICE_MS) / 1000));
      await pass(rest.subarray(0, slice));
      rest = rest.subarray(slice);
      await pause(THROTTLE_SLICE_MS);
    }
  }
}

function freshRules() {
  return { delayMs: 0, bytesPerSecond: Infinity, swallow: { up: false, down: false }, cutAfterBytes: Infinity, dropChunks: 0 };
}

/** A reset. Not where the end of the stream was sent already: Node 20 would spin for ever on such a socket. */
function endAbruptly(socket) {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}

/** Settles when the receiver has taken it, or is gone. */
function written(to, bytes) {
  return new Promise(resolve => (to.destroyed ? resolve() : to.write(bytes, () => resolve())));
}
