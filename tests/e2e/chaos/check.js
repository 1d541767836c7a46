// What a history proves. The judge is the checker program named by SHELFCAST_PROOF. Without it a plain count stands in:
// every accepted event arrived, or a later one of its type, or a word to refetch; nothing arrived that was never
// published or was refused; no position went back. It knows nothing of resumes that lied or of forks between pods.
import { spawnSync } from 'node:child_process';

import { readHistory } from './history.js';

const SHOWN_ANOMALIES_MAX = 20;

/** `{ by, anomalies }`: who judged, and what it found as lines for people. */
export function check(historyPath) {
  const checker = process.env.SHELFCAST_PROOF;
  if (!checker) return { by: 'the plain count (SHELFCAST_PROOF is not set)', anomalies: countPlainly(readHistory(historyPath)) };
  const { status, stdout, stderr, error } = spawnSync(checker, ['check', historyPath], { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  if (error) throw error;
  const said = `${stdout}${stderr}`.split('\n').filter(line => line !== '');
  if (status === 0) return { by: checker, anomalies: [], said };
  return { by: checker, anomalies: said.length > 0 ? said : [`${checker} ended with ${status}`], said };
}

/** The anomalies of a history, as lines for people. */
export function countPlainly(operations) {
  const count = new PlainCount();
  for (const operation of operations) count.see(operation);
  return count.anomalies();
}

class PlainCount {
  #events = new Map();        // id -> { product, type, request, accepted: null or t, epoch, n, isRefused }
  #requests = new Map();      // request -> [ids]
  #clients = new Map();       // client -> { conn, follows: product -> Follow }
  #connections = new Map();   // conn -> { client, lastLive: product -> cursor }
  #followers = new Map();     // product -> Set of Follow
  #found = [];
  #hasEnded = false;

  see(operation) {
    this[operation.op]?.(operation);
  }

  publish({ id, product, type, request }) {
    const event = { id, product, type, accepted: null, epoch: null, n: null, isRefused: false };
    this.#events.set(id, event);
    if (!this.#requests.has(request)) this.#requests.set(request, []);
    this.#requests.get(request).push(id);
    for (const follow of this.#followers.get(product) ?? []) follow.owed.set(id, event);
  }

  /** The events of a request stand at the last positions up to its cursor, one after another. */
  accepted({ t, request, cursor }) {
    const ids = this.#requests.get(request);
    const { epoch, n } = position(cursor);
    ids.forEach((id, index) => Object.assign(this.#events.get(id), { accepted: t, epoch, n: n - (ids.length - 1 - index) }));
  }

  refused({ request }) {
    for (const id of this.#requests.get(request)) this.#events.get(id).isRefused = true;
  }

  open({ conn, client }) {
    this.#connections.set(conn, { client, lastLive: new Map() });
    if (!this.#clients.has(client)) this.#clients.set(client, { follows: new Map() });
    this.#clients.get(client).conn = conn;
  }

  close({ conn }) {
    const client = this.#clients.get(this.#connections.get(conn).client);
    if (client.conn === conn) client.conn = null;
  }

  /** Who does not say where it was is promised nothing for its absence. */
  join({ conn, product, since }) {
    if (since === null) this.#follow(conn, product)?.forget();
  }

  joined({ t, conn, product, cursor, result }) {
    const client = this.#clients.get(this.#connections.get(conn).client);
    if (!client.follows.has(product)) {
      const follow = new Follow();
      client.follows.set(product, follow);
      if (!this.#followers.has(product)) this.#followers.set(product, new Set());
      this.#followers.get(product).add(follow);
    }
    if (result === 'resync_required') client.follows.get(product).refetch(t, cursor);
  }

  leave({ conn, product }) {
    const client = this.#clients.get(this.#connections.get(conn).client);
    this.#followers.get(product)?.delete(client.follows.get(product));
    client.follows.delete(product);
  }

  batch({ t, conn, product, cursor, replay, events }) {
    const connection = this.#connections.get(conn);
    const follow = this.#follow(conn, product);
    if (events.length === 0) {
      follow?.refetch(t, cursor);
      return;
    }
    const last = connection.lastLive.get(product);
    if (!replay && last !== undefined && !isLater(cursor, last)) {
      this.#found.push(`went back: ${connection.client} got ${product} ${cursor} after ${last}`);
    }
    if (!replay) connection.lastLive.set(product, cursor);
    for (const [id] of events) {
      const event = this.#events.get(id);
      if (!event) this.#found.push(`phantom: ${connection.client} got event ${id}, which nobody published`);
      else if (event.isRefused) this.#found.push(`refused event ${id} arrived at ${connection.client}`);
      else follow?.deliver(event);
    }
  }

  resync({ t, conn, products, cursor }) {
    const { follows } = this.#clients.get(this.#connections.get(conn).client);
    for (const product of products ?? follows.keys()) follows.get(product)?.refetch(t, cursor);
  }

  end() {
    this.#hasEnded = true;
  }

  anomalies() {
    const found = [...this.#found];
    if (!this.#hasEnded) found.push('the history has no end');
    for (const [name, { conn, follows }] of this.#clients) {
      if (conn === null) found.push(`absent: ${name} did not come back`);
      for (const follow of follows.values()) {
        for (const { id, product, epoch, n } of follow.lost()) {
          found.push(`lost: ${name} never got event ${id} of ${product}, ${epoch}.${n}, nor a word to refetch`);
        }
      }
    }
    return found.length <= SHOWN_ANOMALIES_MAX ? found : [...found.slice(0, SHOWN_ANOMALIES_MAX), `and ${found.length - SHOWN_ANOMALIES_MAX} more`];
  }

  #follow(conn, product) {
    return this.#clients.get(this.#connections.get(conn).client).follows.get(product);
  }
}

/** What one client is owed of one product. */
class Follow {
  owed = new Map();      // id -> event, published since it joined and not arrived
  #latest = new Map();   // type -> the event of that type with the highest position that arrived
  #refetches = [];

  deliver(event) {
    this.owed.delete(event.id);
    const latest = this.#latest.get(event.type);
    if (!latest || latest.epoch !== event.epoch || event.n > latest.n) this.#latest.set(event.type, event);
  }

  /** What is not acknowledged yet is looked at again in the end, when its position is known. */
  refetch(t, cursor) {
    for (const event of this.owed.values()) if (event.accepted !== null) this.owed.delete(event.id);
    if (this.owed.size > 0) this.#refetches.push({ t, cursor });
  }

  forget() {
    this.owed.clear();
    this.#refetches = [];
  }

  lost() {
    return [...this.owed.values()].filter(event => event.accepted !== null && !this.#isCovered(event));
  }

  #isCovered(event) {
    const latest = this.#latest.get(event.type);
    if (latest && latest.epoch === event.epoch && latest.n > event.n) return true;
    return this.#refetches.some(({ t, cursor }) => {
      const { epoch, n } = position(cursor);
      return t >= event.accepted || epoch !== event.epoch || n >= event.n;
    });
  }
}

function position(cursor) {
  const dot = cursor.lastIndexOf('.');
  return { epoch: cursor.slice(0, dot), n: Number(cursor.slice(dot + 1)) };
}

/** Positions of different epochs cannot be compared; a new epoch is never a step back. */
function isLater(cursor, last) {
  const [one, other] = [position(cursor), position(last)];
  return one.epoch !== other.epoch || one.n > other.n;
}
