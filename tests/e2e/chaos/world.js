// One run's world: Redis, proxies, pods, shoppers, publishers and the history they write. A scenario says what there is
// and what goes wrong; starting, watching, ending and tidying up are here. It knows no scenario.
import { mkdirSync } from 'node:fs';
import path from 'node:path';

import { pause } from '../support/wait.js';
import { check } from './check.js';
import { Recorder, mergeHistories, now, readHistory } from './history.js';
import { Pods } from './pods.js';
import { ChaosProxy } from './proxy.js';
import { Publisher } from './publisher.js';
import { Random, productChooser } from './random.js';
import { RedisServer } from './redis.js';
import { Report } from './report.js';
import { Shoppers } from './shoppers.js';

/** After the last event: a window, a second until the head watch looks, the short spread of this few clients; twice. */
const QUIET_MS = 3_000;
/** A probe is one event a request, never tried again: what it sees is what the gateway answers at that moment. */
const PROBE_RATE = 20;

export class World {
  #servers = [];
  #proxies = [];
  #publishers = [];
  #parts = [];
  #started = now();

  pods = null;
  shoppers = null;
  report = new Report();

  /** `options`: `{ times, clients, rate, products, distribution, announced, seed }`. Files go to `directory`. */
  constructor(directory, options, say = () => {}) {
    mkdirSync(directory, { recursive: true });
    this.directory = directory;
    this.options = options;
    this.historyPath = path.join(directory, 'history.jsonl');
    this.random = new Random(options.seed);
    this.recorder = new Recorder(this.#part('world'));
    this.chooseProduct = productChooser(this.random, options.products, options.distribution);
    this.tell = say;
  }

  #part(name) {
    const part = path.join(this.directory, `history-${name}.jsonl`);
    this.#parts.push(part);
    return part;
  }

  // === what there is ===

  async startRedis(options) {
    const server = await RedisServer.start({ parent: this.directory, ...options });
    this.#servers.push(server);
    return server;
  }

  async startProxy(target) {
    const proxy = await ChaosProxy.start(target);
    this.#proxies.push(proxy);
    return proxy;
  }

  async startPods(count, envOf) {
    this.pods = await Pods.start(count, { directory: this.directory, envOf });
  }

  async startShoppers(more = {}) {
    const { clients: count, seed, products: productCount, distribution, announced: announcedShare } = this.options;
    const { pods, directory } = this;
    this.shoppers = await Shoppers.start({ count, seed, productCount, distribution, announcedShare, pods, directory, ...more });
    this.say(`${count} shoppers have joined`);
  }

  /** Publishes at the rate of the run from now on. */
  startPublishing(more = {}) {
    this.publisher = this.newPublisher({ rate: this.options.rate, ...more });
    this.publisher.start();
    return this.publisher;
  }

  /** Asks all the time whether events are accepted right now. */
  startProbe() {
    const probe = this.newPublisher({ rate: PROBE_RATE, batch: [1, 1], giveUpAfterMs: 0 });
    probe.start();
    return probe;
  }

  newPublisher(more) {
    const { chooseProduct, recorder, random } = this;
    const publisher = new Publisher({ urls: () => this.publishTo(), chooseProduct, recorder, random, ...more });
    this.#publishers.push(publisher);
    return publisher;
  }

  /** Where a publisher's requests go: to pods in service, or to where they were when there is none. */
  publishTo() {
    const { inService, all } = this.pods;
    return (inService.length > 0 ? inService : all).map(pod => pod.url);
  }

  // === what happens ===

  /** Notes a fault in the history. `marks`: `{ mark, pods }` as `ToldMeter` reads them. Returns when it was. */
  fault(what, marks = {}) {
    return this.recorder.record('fault', { what, ...marks });
  }

  pause(ms) {
    return pause(ms);
  }

  say(text) {
    this.tell(`${((now() - this.#started) / 1000).toFixed(1).padStart(7)} s  ${text}`);
  }

  /** One line for people about where the run is. */
  sayStatus(what) {
    const { caughtUp, batches, refetches, unanswered } = this.shoppers.tally;
    const { accepted, unknown, refused } = this.counts();
    this.say(`${what}: ${caughtUp} of ${this.shoppers.count} caught up, ${batches} batches, ${refetches} words to refetch; `
      + `${accepted} events accepted, ${unknown} unknown, ${refused} refused${unanswered ? `; ${unanswered} unanswered` : ''}`);
  }

  counts() {
    const sum = { events: 0, accepted: 0, refused: 0, unknown: 0, leftOut: 0 };
    for (const { counts } of this.#publishers) for (const name of Object.keys(sum)) sum[name] += counts[name];
    return sum;
  }

  get tries() {
    return this.#publishers.flatMap(publisher => publisher.tries);
  }

  // === how it ends ===

  /** No new events; waits until everybody has what there is; closes the history and makes one file of it. */
  async settle() {
    await Promise.all(this.#publishers.map(publisher => publisher.stop()));
    await this.shoppers.caughtUp();
    await this.shoppers.quiet(QUIET_MS);
    this.sayStatus('settled');
    this.recorder.record('end', {});
    this.recorder.close();
    await this.shoppers.stop();
    mergeHistories([...this.#parts, ...this.shoppers.historyPaths], this.historyPath);
    await this.pods.killAll();   // The checker needs the processors.
    if (this.#publishers.length > 0) this.#reportCounts();
    this.report.figure('clients', this.shoppers.count);
  }

  /** Lets meters look at the history, all in one pass. */
  measure(...meters) {
    for (const operation of readHistory(this.historyPath)) for (const meter of meters) meter.see(operation);
  }

  #reportCounts() {
    const { events, accepted, refused, unknown, leftOut } = this.counts();
    this.report.figure('events published', events);
    this.report.figure('events accepted', accepted);
    this.report.figure('events of unknown outcome', unknown);
    if (leftOut > 0) this.report.figure('events left out, too many requests under way', leftOut);
    this.report.must('events refused', refused, refused === 0, '0');
  }

  /** Judges the history, and reports whether it holds. What the judge says is in lines for people. */
  judge() {
    const { by, anomalies, said } = check(this.historyPath);
    this.say(`judged by ${by}`);
    this.report.must('the history holds', anomalies.length === 0 ? 'yes' : 'no', anomalies.length === 0, 'yes');
    return { by, anomalies, said };
  }

  async close() {
    this.recorder.close();
    await Promise.all(this.#publishers.map(publisher => publisher.stop()));
    await this.pods?.killAll();
    await Promise.all(this.#proxies.map(proxy => proxy.close()));
    for (const server of this.#servers) server.remove();
  }
}
