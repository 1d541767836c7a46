// Posts as many events as it is told to, on raw sockets with one request under way each. Requests are encoded beforehand
// and answers are read no further than needed, so that little of a core makes much load. What it posts is in no
// history: nobody watches those products.
import net from 'node:net';

import { API_KEY } from '../../support/gateway.js';
import { Times } from './times.js';

const PRODUCTS = 500;
const BODIES = 50;
const TICK_MS = 2;
const RECONNECT_AFTER_MS = 50;
const HEAD_END = '\r\n\r\n';

/** Whole requests of `batch` events each. */
function encode(batch) {
  return Array.from({ length: BODIES }, (_, body) => {
    const events = Array.from({ length: batch }, (__, at) => (
      { productId: `flood-${(body * batch + at) % PRODUCTS}`, type: 'price_update', data: { newPrice: 1000 + body, oldPrice: 1200 } }));
    const json = JSON.stringify({ events });
    return Buffer.from(`POST /api/notify HTTP/1.1\r\nHost: shop\r\nX-API-Key: ${API_KEY}\r\nContent-Type: application/json\r\n`
      + `Content-Length: ${json.length}${HEAD_END}${json}`);
  });
}

export class Generator {
  #port;
  #requests;
  #batch;
  #idle = new Line();
  #sockets = new Set();
  #next = 0;
  #timer;
  #isOver = false;
  /** What to do with a connection that has nothing under way. */
  #onIdle;

  constructor({ port, batch }) {
    this.#port = port;
    this.#batch = batch;
    this.#requests = encode(batch);
    this.reset();
  }

  /** Counts from now on. */
  reset() {
    this.times = new Times();
    this.refusalTimes = new Times();
    this.counts = { sent: 0, notSent: 0, accepted: 0, refused: 0, withoutRetryAfter: 0, otherAnswers: 0, brokenConnections: 0 };
    this.statuses = {};
  }

  get results() {
    const { counts, statuses, times, refusalTimes } = this;
    return { ...counts, events: counts.accepted * this.#batch, statuses, accepted202: times.summary, refusals: refusalTimes.summary };
  }

  /** The next request leaves when the last is answered. */
  closedLoop(connections) {
    this.#onIdle = socket => this.#send(socket);
    this.#connect(connections);
  }

  /** Requests leave at `rate` a second whatever comes back; with every connection busy one is left out, and counted. */
  openLoop(connections, rate) {
    this.#onIdle = socket => this.#idle.add(socket);
    this.#connect(connections);
    let last = performance.now();
    let due = 0;
    this.#timer = setInterval(() => {
      const t = performance.now();
      due += ((t - last) / 1000) * rate;
      last = t;
      for (; due >= 1; due -= 1) {
        const socket = this.#takeIdle();
        if (socket) this.#send(socket);
        else this.counts.notSent += 1;
      }
    }, TICK_MS);
  }

  stop() {
    this.#isOver = true;
    clearInterval(this.#timer);
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** The one that was idle for longest: publishers send in turn, rather than a few of them all the time. */
  #takeIdle() {
    for (;;) {
      const socket = this.#idle.take();
      if (socket === undefined || !socket.destroyed) return socket;
    }
  }

  #connect(count) {
    for (let opened = 0; opened < count; opened++) this.#open();
  }

  #open() {
    if (this.#isOver) return;
    const socket = net.connect({ port: this.#port, host: '127.0.0.1' });
    socket.setNoDelay(true);
    socket.sentAt = null;
    socket.answer = '';
    this.#sockets.add(socket);
    socket.on('connect', () => this.#onIdle(socket));
    socket.on('data', chunk => this.#read(socket, chunk));
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#sockets.delete(socket);
      if (this.#isOver) return;
      if (socket.sentAt !== null || socket.connecting || socket.bytesRead === 0) this.counts.brokenConnections += 1;
      setTimeout(() => this.#open(), RECONNECT_AFTER_MS);
    });
  }

  #send(socket) {
    if (this.#isOver || socket.destroyed) return;
    socket.sentAt = performance.now();
    this.counts.sent += 1;
    socket.write(this.#requests[this.#next]);
    this.#next = (this.#next + 1) % BODIES;
  }

  /** An answer is nearly always one chunk. */
  #read(socket, chunk) {
    socket.answer += chunk.latin1Slice();
    const headEnd = socket.answer.indexOf(HEAD_END);
    if (headEnd < 0) return;
    const length = Number(/\r\ncontent-length: *(\d+)/i.exec(socket.answer)?.[1] ?? 0);
    if (socket.answer.length < headEnd + HEAD_END.length + length) return;
    this.#count(socket.answer.slice(0, headEnd), performance.now() - socket.sentAt);
    socket.sentAt = null;
    socket.answer = '';
    this.#onIdle(socket);
  }

  #count(head, ms) {
    const status = head.slice('HTTP/1.1 '.length, 'HTTP/1.1 '.length + 3);
    this.statuses[status] = (this.statuses[status] ?? 0) + 1;
    if (status === '202') {
      this.counts.accepted += 1;
      this.times.add(ms);
      return;
    }
    this.refusalTimes.add(ms);
    if (status !== '503' && status !== '429') this.counts.otherAnswers += 1;
    else if (/\r\nretry-after: *\d+/i.test(head)) this.counts.refused += 1;
    else this.counts.withoutRetryAfter += 1;
  }
}

/** First in, first out, however many wait. */
class Line {
  #items = [];
  #first = 0;

  add(item) {
    this.#items.push(item);
  }

  take() {
    const item = this.#items[this.#first];
    if (item === undefined) return undefined;
    this.#items[this.#first++] = undefined;
    if (this.#first > 10_000) {
      this.#items.splice(0, this.#first);
      this.#first = 0;
    }
    return item;
  }
}
