// The real socket.io-client, with verbs that read well and a deadline on each.
import { io as io48 } from 'socket.io-client';
import { io as io47 } from 'socket.io-client-4.7';

import { Mailbox, pause, within } from './wait.js';

export const VERSIONS = { '4.7.2': io47, '4.8': io48 };
export const ROADS = {
  websocket: ['websocket'],
  polling: ['polling'],
  'polling then upgrade': ['polling', 'websocket'],
};

const EVENTS = ['connected', 'batched_product_update', 'resync_required', 'position', 'error', 'pong'];

/** Longer than the window most gateways here are started with, so that a batch sent by mistake would be there. */
const QUIET_MS = 120;

export class Client {
  #inboxes = Object.fromEntries(EVENTS.map(event => [event, new Mailbox()]));

  /** What came, in order: `{ event, args }`, and `{ ack }` where an acknowledgement came. */
  arrivals = [];
  /** Every Engine.IO packet as the text it was. */
  packets = [];

  /** Starts to connect, and gives it back at once: what is sent now leaves right behind the handshake. */
  constructor(gateway, { version = '4.8', road = 'websocket', features, auth, ...options } = {}) {
    this.road = road;
    this.socket = VERSIONS[version](gateway.url, {
      transports: ROADS[road],
      auth: features ? { features, ...auth } : auth,
      forceNew: true,
      reconnection: false,
      ...options,
    });
    const manager = this.socket.io;
    manager.on('open', () => {
      manager.engine.on('packet', packet => { if (typeof packet.data === 'string') this.packets.push(packet.data); });
    });
    for (const event of EVENTS) {
      this.socket.on(event, (...args) => {
        this.arrivals.push({ event, args });
        this.#inboxes[event].push(event === 'pong' ? args : args[0]);
      });
    }
    this.refused = new Promise(resolve => this.socket.once('connect_error', resolve));
    this.disconnected = new Promise(resolve => this.socket.once('disconnect', resolve));
  }

  /** Waits until it is connected, over the transport it is meant to use. */
  async ready() {
    const connected = new Promise(resolve => (this.socket.connected ? resolve() : this.socket.once('connect', resolve)));
    const refused = this.refused.then(error => { throw error; });
    await within(Promise.race([connected, refused]), `a connection over ${this.road}`);
    if (this.road === 'polling then upgrade' && this.transport !== 'websocket') {
      await within(new Promise(resolve => this.socket.io.engine.once('upgrade', resolve)), 'the upgrade to WebSocket');
    }
    return this;
  }

  get transport() {
    return this.socket.io.engine.transport.name;
  }

  /** Sends an event and waits for its acknowledgement. */
  ask(event, ...args) {
    const answer = new Promise(resolve => {
      this.socket.emit(event, ...args, ack => {
        this.arrivals.push({ ack: event, args: [ack] });
        resolve(ack);
      });
    });
    return within(answer, `the acknowledgement of ${event}`);
  }

  send(event, ...args) {
    this.socket.emit(event, ...args);
  }

  join(ids) {
    return this.ask('join_product', ids);
  }

  leave(ids) {
    return this.ask('leave_product', ids);
  }

  joinAll(wanted) {
    return this.ask('join_products', wanted);
  }

  sync(...args) {
    return this.ask('request_sync', ...args);
  }

  next(event, fits, deadlineMs) {
    return this.#inboxes[event].next(`${event} over ${this.road}`, fits, deadlineMs);
  }

  nextBatch(productId, deadlineMs) {
    return this.#inboxes.batched_product_update.next(`a batch of ${productId}`, batch => batch.productId === productId, deadlineMs);
  }

  /** What came of `event` and was not read. */
  unread(event) {
    return this.#inboxes[event].unread;
  }

  /** Waits until whatever the gateway sent before is here: a question goes there and back, then a moment of quiet. */
  async settle() {
    this.send('ping');
    await this.next('pong');
    await pause(QUIET_MS);
  }

  close() {
    this.socket.disconnect();
  }
}

/** A connected client that is closed when the test is over. */
export async function connect(t, gateway, options) {
  const client = new Client(gateway, options);
  t.after(() => client.close());
  return client.ready();
}
