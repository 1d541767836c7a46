// A client that stops reading: its socket stays open, the kernel's buffers fill, and then the gateway can hand over nothing
// more. When it reads on it looks whether what it missed was kept, told or hidden. It is not in the history of the run:
// nothing is promised to one that does not come back.
//
// Node cannot make the buffers of a socket smaller. So up to 230 KB go to this end, and as much as the gateway's own end
// keeps (4 MB if nothing bounds it), before the gateway can notice anything; `tcpConnections` shows how much it is.
import http from 'node:http';

import WebSocket from 'ws';

import { within } from '../support/wait.js';
import { now } from './history.js';
import { endsKey } from './proc.js';

const FEATURES = { features: ['resync'] };

class Sleeper {
  /** When it stopped reading, and when its connection was seen to be over. */
  stopped = null;
  ended = null;
  /** Whether it was told to refetch since it stopped. */
  wasTold = false;
  /** Batches that did not follow on the one before it, without a word between them. */
  gaps = 0;
  #cursors = new Map();   // product -> the cursor of its last batch

  constructor(pod, products) {
    this.pod = pod;
    this.products = products;
  }

  async start() {
    await within(this.connect(), `a ${this.transport} client to join`);
    return this;
  }

  stop() {
    this.stopped = now();
    this.pause();
  }

  /** Its connection in `tcpConnections`, seen from the gateway. */
  get gatewayKey() {
    return endsKey(this.remote, this.local);
  }

  /** The same, seen from the client. */
  get clientKey() {
    return endsKey(this.local, this.remote);
  }

  /** Noted once there is a socket: later it may be gone. */
  keepEnds(socket) {
    this.local = { address: socket.localAddress, port: socket.localPort };
    this.remote = { address: socket.remoteAddress, port: socket.remotePort };
    socket.on('error', () => {}).once('close', () => this.over());
  }

  over() {
    this.ended ??= now();
  }

  take(name, body) {
    if (name === 'resync_required') this.#told(body.productIds ?? this.products);
    else if (name === 'batched_product_update' && body.events.length === 0) this.#told([body.productId]);
    else if (name === 'batched_product_update') this.#takeBatch(body);
  }

  #takeBatch({ productId, cursor, previousCursor, replay }) {
    const last = this.#cursors.get(productId);
    if (last !== undefined && !replay && last !== previousCursor) this.gaps += 1;
    this.#cursors.set(productId, cursor);
  }

  #told(products) {
    if (this.stopped !== null) this.wasTold = true;
    for (const product of products) this.#cursors.delete(product);
  }

  /** A Socket.IO packet without the engine's type: `2[...]` is an event. */
  takePacket(packet) {
    if (packet.startsWith('2[')) this.take(...JSON.parse(packet.slice(1)));
  }
}

class WebSocketSleeper extends Sleeper {
  transport = 'websocket';
  #socket;

  connect() {
    const { url } = this.pod;
    const socket = new WebSocket(`${url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`, { perMessageDeflate: false });
    this.#socket = socket;
    socket.on('upgrade', incoming => this.keepEnds(incoming.socket));
    return new Promise((resolve, reject) => {
      socket.on('error', reject);   // Later it changes nothing.
      socket.on('message', data => this.#hear(data.toString(), resolve));
    });
  }

  #hear(text, joined) {
    if (text === '2') this.#socket.send('3');
    else if (text[0] === '0') this.#socket.send(`40${JSON.stringify(FEATURES)}`);
    else if (text.startsWith('40')) this.#socket.send(`420${JSON.stringify(['join_product', this.products])}`);
    else if (text.startsWith('430')) joined();
    else this.takePacket(text.slice(1));
  }

  pause() {
    this.#socket.pause();
  }

  resume() {
    this.#socket.resume();
  }

  destroy() {
    this.#socket.terminate();
  }
}

class SseSleeper extends Sleeper {
  transport = 'sse';
  #incoming = null;

  connect() {
    return new Promise((resolve, reject) => {
      const path = `/api/events?products=${this.products.join(',')}&features=resync`;
      const outgoing = http.get(`${this.pod.url}${path}`, { agent: false }, incoming => {
        this.#incoming = incoming;
        this.keepEnds(incoming.socket);
        incoming.on('error', () => {});
        this.#read(incoming);
        resolve();
      });
      outgoing.on('error', reject);
    });
  }

  #read(incoming) {
    let text = '';
    incoming.setEncoding('utf8');
    incoming.on('data', chunk => {
      const blocks = (text + chunk).split('\n\n');
      text = blocks.pop();
      for (const block of blocks) {
        const data = /^data: ?(.*)$/m.exec(block)?.[1];
        if (data !== undefined) this.take(/^event: ?(.*)$/m.exec(block)?.[1], JSON.parse(data));
      }
    });
  }

  pause() {
    this.#incoming.pause();
    this.#incoming.socket?.pause();
  }

  resume() {
    this.#incoming.resume();
    this.#incoming.socket?.resume();
  }

  destroy() {
    this.#incoming?.destroy();
  }
}

/** Stops asking, where the others stop reading. When it asks again it hears whether the gateway still knows it. */
class PollingSleeper extends Sleeper {
  transport = 'polling';
  #agent = new http.Agent({ keepAlive: true });
  #path = '/socket.io/?EIO=4&transport=polling';
  #isAsking = true;
  #isGone = false;

  async connect() {
    const { sid } = JSON.parse((await this.#ask('GET')).text.slice(1));
    this.#path += `&sid=${sid}`;
    await this.#ask('POST', `40${JSON.stringify(FEATURES)}`);
    let joined;
    const join = new Promise(resolve => { joined = resolve; });
    this.#askOn(joined);
    await this.#ask('POST', `420${JSON.stringify(['join_product', this.products])}`);
    await join;
  }

  async #askOn(joined = () => {}) {
    while (this.#isAsking && !this.#isGone) {
      const { status, text } = await this.#ask('GET').catch(() => ({ status: 0 }));
      if (status !== 200) return this.over();
      for (const packet of text.split('\x1e')) {
        if (packet === '2') this.#ask('POST', '3').catch(() => {});
        else if (packet.startsWith('430')) joined();
        else this.takePacket(packet.slice(1));
      }
    }
  }

  #ask(method, body) {
    return new Promise((resolve, reject) => {
      const outgoing = http.request(`${this.pod.url}${this.#path}`, { method, agent: this.#agent }, incoming => {
        const chunks = [];
        incoming.on('data', chunk => chunks.push(chunk));
        incoming.on('error', reject);
        incoming.on('end', () => resolve({ status: incoming.statusCode, text: Buffer.concat(chunks).toString() }));
      });
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  }

  pause() {
    this.#isAsking = false;
  }

  resume() {
    if (this.#isAsking) return;   // Two questions at once end the session.
    this.#isAsking = true;
    this.#askOn();
  }

  destroy() {
    this.#isGone = true;
    this.#agent.destroy();
  }
}

const KINDS = [WebSocketSleeper, SseSleeper, PollingSleeper];

/** `counts`: how many of each, `{ websocket, sse, polling }`. All have joined `products` when it returns. */
export async function startSleepers(pod, products, counts) {
  const wanted = Object.entries(counts).flatMap(([transport, count]) => Array(count).fill(transport));
  const byName = Object.fromEntries(KINDS.map(Kind => [new Kind(pod, []).transport, Kind]));
  const sleepers = [];
  for (const transport of wanted) sleepers.push(await new byName[transport](pod, products).start());
  return sleepers;
}
