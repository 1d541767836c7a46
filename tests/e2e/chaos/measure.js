// Figures out of a history: one pass over the file, several meters that each look at every operation. They measure;
// whether something is wrong is said by `check.js` and by the checker it calls.

export const percentile = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];

/** `{ count, p50, p99, max }` of some times in ms, rounded; all but `count` null if there are none. */
export function summary(times) {
  const sorted = [...times].sort((a, b) => a - b);
  const rounded = value => (value === undefined ? null : Math.round(value));
  return { count: sorted.length, p50: rounded(percentile(sorted, 0.5)), p99: rounded(percentile(sorted, 0.99)), max: rounded(sorted.at(-1)) };
}

/** How long a returning client takes: from the connection to its last answer, and from the loss to that answer. */
export class CatchUpMeter {
  fromConnect = [];
  fromLoss = [];
  #connections = new Map();   // conn -> { client, opened, asked }
  #lost = new Map();          // client -> when its last connection ended

  see({ op, t, conn, client, product }) {
    if (op === 'open') {
      this.#connections.set(conn, { client, opened: t, asked: new Set() });
      return;
    }
    const connection = this.#connections.get(conn);
    if (!connection) return;
    if (op === 'join') {
      connection.asked.add(product);
    } else if (op === 'joined') {
      connection.asked.delete(product);
      if (connection.asked.size === 0) this.#caughtUp(connection, t);
    } else if (op === 'close') {
      this.#lost.set(connection.client, this.#lost.get(connection.client) ?? t);
      this.#connections.delete(conn);
    }
  }

  #caughtUp({ client, opened }, t) {
    if (!this.#lost.has(client)) return;   // Its first connection, or a question in between.
    this.fromConnect.push(t - opened);
    this.fromLoss.push(t - this.#lost.get(client));
    this.#lost.delete(client);
  }
}

/**
 * Whether and when clients were told to refetch after a fault. A fault with `mark: "began"` opens a round, for the
 * clients on its `pods` (without: all); `mark: "back"` is the time to measure from, or the client's own return if that
 * is later. A client is told once every product that it tracks is covered by a word to refetch, in whichever form. Who
 * returns without saying where it was (it had nothing to say) is promised nothing, and leaves the round.
 */
export class ToldMeter {
  /** Of all rounds, ms after `back` (0 if before it). */
  times = [];
  /** For each round: `{ concerned, leftOut, untold, slowestMs }`. */
  rounds = [];
  #clients = new Map();       // client -> { pod, products }
  #connections = new Map();   // conn -> client
  #round = null;

  see(operation) {
    const { op, t, conn } = operation;
    if (op === 'open') {
      this.#connections.set(conn, operation.client);
      const products = this.#clients.get(operation.client)?.products ?? new Set();
      this.#clients.set(operation.client, { pod: operation.pod, opened: t, products });
    } else if (op === 'join') {
      this.#clients.get(this.#connections.get(conn)).products.add(operation.product);
      if (operation.since === null) this.#promisedNothing(conn, operation.product);
    } else if (op === 'fault') {
      this.#mark(operation);
    } else if (op === 'end') {
      this.#closeRound();
    } else if (op === 'resync') {
      this.#told(conn, operation.products, t);
    } else if ((op === 'batch' && operation.events.length === 0) || (op === 'joined' && operation.result === 'resync_required')) {
      this.#told(conn, [operation.product], t);
    }
  }

  #mark({ t, mark, pods }) {
    if (mark === 'began') {
      this.#closeRound();
      const concerned = [...this.#clients].filter(([, { pod }]) => !pods || pods.includes(pod));
      const untold = new Map(concerned.map(([client, { products }]) => [client, new Set(products)]));
      this.#round = { concerned: untold.size, untold, told: [], leftOut: 0, back: t };
    } else if (mark === 'back' && this.#round) {
      this.#round.back = t;
    }
  }

  #told(conn, products, t) {
    const client = this.#connections.get(conn);
    const { opened } = this.#clients.get(client);
    if (this.#strike(client, products)) this.#round.told.push({ t, opened });
  }

  #promisedNothing(conn, product) {
    if (this.#strike(this.#connections.get(conn), [product])) this.#round.leftOut += 1;
  }

  /** Whether these were the last products that the client had to hear of. */
  #strike(client, products) {
    const missing = this.#round?.untold.get(client);
    if (!missing) return false;
    for (const product of products ?? [...missing]) missing.delete(product);
    return missing.size === 0 && this.#round.untold.delete(client);
  }

  #closeRound() {
    if (!this.#round) return;
    const { concerned, leftOut, untold, told, back } = this.#round;
    const times = told.map(({ t, opened }) => Math.max(0, t - Math.max(back, opened)));
    this.times.push(...times);
    this.rounds.push({ concerned, leftOut, untold: untold.size, slowestMs: Math.max(0, ...times) });
    this.#round = null;
  }

  /** Adds its figures: that everybody was told, and how soon. */
  reportTo(report, goalMs) {
    const sum = name => this.rounds.reduce((total, round) => total + round[name], 0);
    report.figure('faults', this.rounds.length);
    report.figure('clients concerned, over all faults', sum('concerned'));
    if (sum('leftOut') > 0) report.figure('of these came back without a position', sum('leftOut'));
    report.must('clients not told', sum('untold'), sum('untold') === 0, '0');
    report.times('told to refetch', summary(this.times), goalMs);
  }
}

/** How often clients were told to refetch, for scenarios in which nobody should be. */
export class RefetchMeter {
  #reasons = new Map();

  see({ op, events, reason }) {
    if (op === 'resync') this.#count(reason);
    else if (op === 'batch' && events.length === 0) this.#count('an empty batch');
  }

  #count(reason) {
    this.#reasons.set(reason, (this.#reasons.get(reason) ?? 0) + 1);
  }

  get count() {
    return [...this.#reasons.values()].reduce((sum, count) => sum + count, 0);
  }

  /** How many, and why. */
  get said() {
    return [this.count, ...[...this.#reasons].map(([reason, count]) => `${reason}: ${count}`)].join(', ');
  }
}

/** Who came back, in seconds from each fault with `mark: "drain"` to the one with `mark: "back"`. */
export class ReconnectMeter {
  /** For each drain, how many in each second. */
  drains = [];
  /** Closes after which socket.io-client would not come back by itself. */
  serverDisconnects = 0;
  #known = new Set();
  #began = null;

  see({ op, t, client, reason, mark }) {
    if (op === 'close' && reason === 'io server disconnect') this.serverDisconnects += 1;
    if (op === 'fault') this.#mark(t, mark);
    if (op !== 'open') return;
    if (this.#known.has(client) && this.#began !== null) {
      const bins = this.drains.at(-1);
      const second = Math.floor((t - this.#began) / 1000);
      while (bins.length <= second) bins.push(0);
      bins[second] += 1;
    }
    this.#known.add(client);
  }

  #mark(t, mark) {
    if (mark === 'drain') {
      this.#began = t;
      this.drains.push([]);
    } else if (mark === 'back') {
      this.#began = null;
    }
  }
}

/** From the request to the batch at a client, of events that arrived live. */
export class LatencyMeter {
  times = [];
  #published = new Map();

  see({ op, t, id, replay, events }) {
    if (op === 'publish') this.#published.set(id, t);
    if (op !== 'batch' || replay) return;
    for (const [event] of events) this.times.push(t - (this.#published.get(event) ?? t));
  }
}

/** From the answer 202 to the batch at a client, apart for each of `phases` (`{ from, to }`), by when it was accepted. */
export class PhaseLatencyMeter {
  /** In the order of the phases. */
  times;
  #phases;
  #accepted = new Map();   // event -> when its publisher had the answer

  constructor(phases) {
    this.#phases = phases;
    this.times = phases.map(() => []);
  }

  see({ op, t, ids, replay, events }) {
    if (op === 'accepted') for (const id of ids) this.#accepted.set(id, t);
    if (op !== 'batch' || replay) return;
    for (const [id] of events) {
      const accepted = this.#accepted.get(id) ?? t;   // The batch may overtake the answer.
      const at = this.#phases.findIndex(({ from, to }) => accepted >= from && accepted <= to);
      if (at >= 0) this.times[at].push(t - accepted);
    }
  }
}
