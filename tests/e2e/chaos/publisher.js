// A shop's back-end: posts events over HTTP at a steady rate and retries as the contract asks, with the same
// Idempotency-Key through another pod. It records what became of each request and does not judge it.
import http from 'node:http';

import { API_KEY } from '../support/gateway.js';
import { pause } from '../support/wait.js';
import { now } from './history.js';

const TYPES = ['product_update', 'inventory_update', 'price_update', 'sale_update'];
/** Requests that are due are looked for this often. Coarser than the gaps between them: then some leave together. */
const TICK_MS = 10;
/** One try. The gateway's own deadlines are below it, so that its 503 is seen. */
const TRY_TIMEOUT_MS = 5_000;
/** Requests that wait for their answer or their next try. Beyond it the publisher leaves out what is due. */
const IN_FLIGHT_MAX = 4_000;
/** The longest wait before another try, whatever Retry-After says: the outages here are short. */
const RETRY_WAIT_MAX_MS = 1_000;
const RETRY_WAIT_MS = 200;   // After a reset or a timeout, which name no time.

// Shared by all publishers of a process: an id names one event of the run, a number one request.
let nextEvent = 1;
let nextRequest = 1;

/** `count` new events of products that `chooseProduct` names, with their ids in `data`, and `padding` to make it large. */
export function newEvents(count, chooseProduct, random, padding) {
  return Array.from({ length: count }, () => ({ productId: chooseProduct(), type: random.pick(TYPES), data: { id: nextEvent++, padding } }));
}

/** Recorded before anything is sent, whichever way it goes: an event that arrives must have been published. */
export function recordPublish(recorder, events) {
  const request = nextRequest++;
  for (const { productId, type, data } of events) recorder.record('publish', { id: data.id, product: productId, type, request });
  return request;
}

export class Publisher {
  #options;
  #agent = new http.Agent({ keepAlive: true, maxSockets: 1024 });
  #inFlight = new Set();
  #timer = null;

  /** Each try: `{ t, ms, url, status, retryAfter }`, `t` when it was sent, status 0 for none (reset, timeout). */
  tries = [];
  counts = { events: 0, accepted: 0, refused: 0, unknown: 0, leftOut: 0 };

  /**
   * `urls()`: where a request may go now. `rate`: events a second; `batch`: from and to how many in a request.
   * `giveUpAfterMs`: then the outcome is unknown; 0: after one try. `paddingBytes`: added to the data of each event.
   */
  constructor({ urls, chooseProduct, recorder, random, rate = 0, batch = [10, 20], giveUpAfterMs = 20_000, paddingBytes = 0 }) {
    const padding = paddingBytes > 0 ? 'x'.repeat(paddingBytes) : undefined;
    this.#options = { urls, chooseProduct, recorder, random, rate, batch, giveUpAfterMs, padding };
  }

  start() {
    const { rate, batch: [low, high], random } = this.#options;
    const started = now();
    let due = 0;
    this.#timer = setInterval(() => {
      while (due <= ((now() - started) / 1000) * rate) {
        const count = random.between(low, high);
        due += count;
        if (this.#inFlight.size >= IN_FLIGHT_MAX) this.counts.leftOut += count;
        else this.publish(this.#newEvents(count));
      }
    }, TICK_MS);
  }

  /** Nothing new leaves; what is under way gets its outcome. */
  async stop() {
    clearInterval(this.#timer);
    await Promise.all(this.#inFlight);
    this.#agent.destroy();
  }

  get inFlight() {
    return this.#inFlight.size;
  }

  #newEvents(count) {
    const { chooseProduct, random, padding } = this.#options;
    return newEvents(count, chooseProduct, random, padding);
  }

  /** Publishes in one request, retried until there is an outcome: `accepted`, `refused` or `unknown`. */
  publish(events) {
    const request = recordPublish(this.#options.recorder, events);
    this.counts.events += events.length;
    const outcome = this.#untilOutcome(request, events).finally(() => this.#inFlight.delete(outcome));
    this.#inFlight.add(outcome);
    return outcome;
  }

  /** Publishes `count` events in one request that is sent `copies` times at once: they race each other. */
  async publishCopies(count, copies) {
    const events = this.#newEvents(count);
    const request = recordPublish(this.#options.recorder, events);
    this.counts.events += events.length;
    const others = Array.from({ length: copies - 1 }, () => this.#send(request, events));
    const [outcome] = await Promise.all([this.#untilOutcome(request, events), ...others]);
    return outcome;
  }

  async #untilOutcome(request, events) {
    const { recorder, giveUpAfterMs } = this.#options;
    const ids = events.map(event => event.data.id);
    const end = now() + giveUpAfterMs;
    for (;;) {
      const { status, retryAfter, body } = await this.#send(request, events);
      if (status === 202) {
        recorder.record('accepted', { request, ids, cursor: body.cursor, duplicate: body.duplicate, duplicates: body.duplicates });
        return this.#count('accepted', ids.length);
      }
      if (status >= 400 && status < 500) {
        recorder.record('refused', { request, status });
        return this.#count('refused', ids.length);
      }
      if (now() > end) {
        recorder.record('unknown', { request });
        return this.#count('unknown', ids.length);
      }
      await pause(this.#retryWait(retryAfter));
    }
  }

  #count(outcome, events) {
    this.counts[outcome] += events;
    return outcome;
  }

  /** Spread evenly over the time asked for: all that failed together must not come back together. */
  #retryWait(retryAfter) {
    const longest = retryAfter === undefined ? RETRY_WAIT_MS : Math.min(Number(retryAfter) * 1000, RETRY_WAIT_MAX_MS);
    return longest * (0.5 + this.#options.random.next() / 2);
  }

  async #send(request, events) {
    const { urls, random } = this.#options;
    const t = now();
    const url = random.pick(urls());
    const { status, retryAfter, body } = await this.#post(url, request, JSON.stringify({ events }));
    this.tries.push({ t, ms: now() - t, url, status, retryAfter });
    return { status, retryAfter, body };
  }

  /** The answer to one POST; a reset, a timeout or half an answer is status 0. */
  #post(url, request, body) {
    const headers = {
      'x-api-key': API_KEY,
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      'idempotency-key': `request-${request}`,
    };
    return new Promise(resolve => {
      const fail = () => resolve({ status: 0 });
      const outgoing = http.request(`${url}/api/notify`, { method: 'POST', headers, agent: this.#agent }, incoming => {
        let text = '';
        incoming.setEncoding('utf8');
        incoming.on('data', chunk => { text += chunk; });
        incoming.on('error', fail);
        incoming.on('end', () => resolve({
          status: incoming.statusCode,
          retryAfter: incoming.headers['retry-after'],
          body: incoming.statusCode === 202 ? JSON.parse(text) : text,
        }));
      });
      const timer = setTimeout(() => outgoing.destroy(), TRY_TIMEOUT_MS);
      outgoing.on('error', fail);
      outgoing.on('close', () => {
        clearTimeout(timer);
        fail();   // After an answer this changes nothing.
      });
      outgoing.end(body);
    });
  }
}
