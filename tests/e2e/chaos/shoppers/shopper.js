// One shopper, whatever the transport: a few products, where it stands for each, and what it does when a connection is
// lost. It records every word that comes; it never judges whether the word was right.

/** The wait before coming back, drawn evenly: long enough for the load balancer's view to follow a kill. */
const RETURN_AFTER_MS = [50, 250];

/**
 * Where the shopper stands after `cursor` came: a cursor of another epoch replaces what it had, because positions of
 * different epochs cannot be compared; within an epoch it never goes back.
 */
export function laterOf(own, cursor) {
  if (own === null || epochOf(own) !== epochOf(cursor)) return cursor;
  return numberOf(cursor) > numberOf(own) ? cursor : own;
}

/** Whether something lies between `own` and `cursor` that the shopper has not got. */
export const isBehind = (own, cursor) => own === null || epochOf(own) !== epochOf(cursor) || numberOf(own) < numberOf(cursor);

const epochOf = cursor => cursor.slice(0, cursor.lastIndexOf('.'));
const numberOf = cursor => Number(cursor.slice(cursor.lastIndexOf('.') + 1));

export class Shopper {
  #connections = 0;
  #timer = null;
  #isGone = false;

  /** `around`: what all shoppers of a process share, `{ pods, recorder, random, tally }`. */
  constructor({ name, transport, products, isAnnounced }, around) {
    this.name = name;
    this.transport = transport;
    this.products = products;
    this.isAnnounced = isAnnounced;
    this.around = around;
    this.connection = null;
    this.isCaughtUp = false;
  }

  /** Begins a connection to `pod`; it comes to `opened`, `caughtUp` and `lost`. */
  connect(_pod) {
    throw new Error('each transport has its own');
  }

  /** Goes back to whatever pod is in service. */
  comeBack() {
    this.connect(this.around.pods.choose());
  }

  goAway() {
    this.#isGone = true;
    clearTimeout(this.#timer);
  }

  record(op, fields) {
    this.around.recorder.record(op, { ...fields, conn: this.connection });
  }

  opened(pod) {
    this.connection = `${this.name}/${++this.#connections}`;
    this.record('open', { client: this.name, pod: pod.name, transport: this.transport, announced: this.isAnnounced });
  }

  caughtUp() {
    if (!this.isCaughtUp) this.around.tally.caughtUp += 1;
    this.isCaughtUp = true;
  }

  /** `reason`: what the library says of it, if anything. */
  lost(reason) {
    if (this.connection !== null) this.record('close', { reason });
    if (this.isCaughtUp) this.around.tally.caughtUp -= 1;
    this.connection = null;
    this.isCaughtUp = false;
    if (this.#isGone) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.comeBack(), this.around.random.between(...RETURN_AFTER_MS));
  }

  recordBatch({ productId, cursor, previousCursor, replay = false, events }) {
    this.record('batch', { product: productId, cursor, previous: previousCursor, replay, events: events.map(({ type, data }) => [data.id, type]) });
    this.around.tally.batches += 1;
    this.around.tally.events += events.length;
    if (events.length === 0) this.around.tally.refetches += 1;
  }

  recordResync({ productIds = null, reason, cursor }) {
    this.record('resync', { products: productIds, reason, cursor });
    this.around.tally.refetches += 1;
  }
}
