// A shopper on the real socket.io-client. Announced ones say where they are for each product in one `join_products`, and
// ask again when they see a hole; plain ones do what pages written for the original events do: join, then
// `request_sync` with the timestamp of the last batch. Neither reconnects by itself, because each new connection
// goes to the pod that a load balancer would choose.
import { io } from 'socket.io-client';

import { Shopper, isBehind, laterOf } from './shopper.js';

export const TRANSPORTS = { websocket: ['websocket'], polling: ['polling'], upgrade: ['polling', 'websocket'] };

const CONNECT_TIMEOUT_MS = 10_000;
const ACK_TIMEOUT_MS = 15_000;

export class SocketioShopper extends Shopper {
  #socket = null;
  #positions = new Map();   // product -> `{ cursor, timestamp }`; the timestamp is all that a plain page keeps
  #asked = new Set();       // products that a plain page waits to hear about: until then it has not moved

  connect(pod) {
    const socket = io(pod.url, {
      transports: TRANSPORTS[this.transport],
      auth: this.isAnnounced ? { features: ['resync'] } : undefined,
      forceNew: true,
      reconnection: false,
      timeout: CONNECT_TIMEOUT_MS,
    });
    this.#socket = socket;
    socket.on('connect', () => {
      this.opened(pod);
      this.#join(socket);
    });
    socket.on('connect_error', () => this.#over(socket));
    socket.on('disconnect', reason => this.#over(socket, reason));
    socket.on('batched_product_update', batch => this.#take(batch));
    socket.on('resync_required', word => this.#takeResync(word));
    socket.on('position', position => this.#takePosition(socket, position));
  }

  goAway() {
    super.goAway();
    this.#socket?.disconnect();
  }

  /** Only the connection it has now can be lost; an older one may still have something to say. */
  #over(socket, reason) {
    if (socket !== this.#socket) return;
    this.#socket = null;
    socket.disconnect();
    this.lost(reason);
  }

  #join(socket) {
    if (this.isAnnounced) this.#joinWithCursors(socket, this.products);
    else this.#joinAndSync(socket);
  }

  /** Also how a hole is mended: asking again about a joined product does no harm. */
  #joinWithCursors(socket, products) {
    const wanted = Object.fromEntries(products.map(product => [product, this.#cursor(product)]));
    for (const product of products) this.record('join', { product, since: wanted[product] });
    this.#ask(socket, 'join_products', [wanted], ack => {
      for (const product of products) {
        this.record('joined', { product, result: ack.results[product], cursor: ack.cursor });
        this.#advance(product, ack.cursor);
      }
      this.caughtUp();
    });
  }

  #joinAndSync(socket) {
    // As they are now: what arrives live between the join and the answer must neither shorten this question nor, if the
    // connection is lost before the answer, the next one.
    const returning = new Map(this.#positions);
    this.#asked = new Set(returning.keys());
    for (const product of this.products) this.record('join', { product, since: returning.get(product)?.cursor ?? null });
    this.#ask(socket, 'join_product', [this.products], ({ cursor }) => {
      for (const product of this.products) if (!returning.has(product)) this.record('joined', { product, result: 'joined', cursor });
      let open = returning.size;
      if (open === 0) this.caughtUp();
      for (const [product, { timestamp }] of returning) {
        this.#ask(socket, 'request_sync', [product, timestamp], ack => {
          this.record('joined', { product, result: ack.status, cursor: ack.cursor });
          this.#asked.delete(product);
          if (--open === 0) this.caughtUp();
        });
      }
    });
  }

  /** An acknowledgement that does not come ends the connection, as a page would reload. */
  #ask(socket, event, args, answered) {
    socket.timeout(ACK_TIMEOUT_MS).emit(event, ...args, (late, ack) => {
      if (socket !== this.#socket) return;
      if (late || !ack.ok) {
        this.around.tally.unanswered += 1;
        this.#over(socket);
      } else {
        answered(ack);
      }
    });
  }

  #take(batch) {
    const { productId, events, cursor, previousCursor, replay, timestamp } = batch;
    this.recordBatch(batch);
    const hasHole = !replay && events.length > 0 && isBehind(this.#cursor(productId), previousCursor);
    if (this.isAnnounced && this.isCaughtUp && hasHole) this.#joinWithCursors(this.#socket, [productId]);
    else if (replay || events.length === 0 || !this.#asked.has(productId)) this.#advance(productId, cursor, timestamp);
  }

  #takeResync(word) {
    this.recordResync(word);
    for (const product of word.productIds ?? this.products) this.#positions.set(product, { cursor: word.cursor });
  }

  /** Products whose position differs from its own have lost their last batch on the way: it asks for them. */
  #takePosition(socket, { cursor, products }) {
    this.record('position', { cursor });
    const missed = this.products.filter(product => products[product] !== undefined && isBehind(this.#cursor(product), products[product]));
    if (missed.length > 0 && this.isCaughtUp) this.#joinWithCursors(socket, missed);
  }

  #cursor(product) {
    return this.#positions.get(product)?.cursor ?? null;
  }

  #advance(product, cursor, timestamp) {
    const own = this.#cursor(product);
    if (laterOf(own, cursor) !== own) this.#positions.set(product, { cursor, timestamp });
  }
}
