// What attackers do, a class a kind. Each keeps `count` of itself going until its process ends: whoever is thrown out
// comes back. They count what became of them; whether the gateway did well is for the scenario to say.
import { API_KEY } from '../../support/gateway.js';
import { pause } from '../../support/wait.js';
import { frame, heard, pollingPost } from './wire.js';

const ARRIVE_MS = 2_000;
const RETURN_AFTER_MS = 200;
/** A refusal that takes longer is none. */
const REFUSED_WITHIN_MS = 5_000;
const BYTE_EVERY_MS = 1_000;

/** Handshakes one after the other before a rest. */
const BURST = 10;

const KB = 1024;
const FRAGMENT = 'x'.repeat(KB);

class Kind {
  figures = { begun: 0 };

  constructor(wire) {
    this.wire = wire;
  }

  /** The first of them arrive evenly over a while: even an attacker has a backlog to get through. */
  start({ first, count }) {
    for (let index = 0; index < count; index++) setTimeout(() => this.#goOn(first + index), (index * ARRIVE_MS) / count);
  }

  async #goOn(index) {
    for (;;) {
      this.count('begun');
      await this.once(index);
      await pause(RETURN_AFTER_MS);
    }
  }

  /** One life, from the connection to its end. */
  async once(_index) {
    throw new Error('each kind has its own');
  }

  count(name, by = 1) {
    this.figures[name] = (this.figures[name] ?? 0) + by;
  }

  note(name, ms) {
    (this.figures[name] ??= []).push(Math.round(ms));
  }
}

/** Sockets that are held until the gateway closes them. `livesMs` of those that it closed; `agesMs` of those it did not. */
class Held extends Kind {
  #open = new Map();   // socket -> when it was connected

  hold(socket) {
    return new Promise(resolve => {
      socket.once('connect', () => this.#open.set(socket, performance.now()));
      if (!socket.connecting) this.#open.set(socket, performance.now());
      socket.resume();
      // The end that the gateway sent, or a reset: Node ends its half by itself.
      socket.once('close', () => {
        if (this.#open.has(socket)) this.note('livesMs', performance.now() - this.#open.get(socket));
        else this.count('refused');
        this.#open.delete(socket);
        resolve();
      });
    });
  }

  get open() {
    return [...this.#open.keys()];
  }

  snapshot() {
    this.figures.open = this.#open.size;
    this.figures.agesMs = [...this.#open.values()].map(since => Math.round(performance.now() - since));
  }
}

/** Connects and says nothing. */
class Idle extends Held {
  once() {
    return this.hold(this.wire.connect());
  }
}

/** Opens a session of the engine and never says CONNECT; half of them over polling, whose end nobody sees. */
class IdleSession extends Held {
  async once(index) {
    if (index % 2 === 0) {
      const socket = await this.wire.upgraded();
      return socket === null ? this.count('refused') : this.hold(socket);
    }
    this.count((await this.wire.session()) === null ? 'refused' : 'pollingSessions');
    return pause(REFUSED_WITHIN_MS);
  }
}

/** Slowloris: a byte a second, of a header or of a body that was announced. */
class Slow extends Held {
  start(part) {
    super.start(part);
    setInterval(() => { for (const socket of this.open) socket.write('x'); }, BYTE_EVERY_MS);
  }

  once(index) {
    const socket = this.wire.connect();
    socket.write(index % 4 === 0 ? SLOW_BODY : SLOW_HEADER);
    return this.hold(socket);
  }
}

const SLOW_HEADER = 'GET /health HTTP/1.1\r\nHost: shop\r\nX-Slow: ';
/** The worst case: it has a key, so its body is waited for. */
const SLOW_BODY = 'POST /api/notify HTTP/1.1\r\nHost: shop\r\nContent-Type: application/json\r\n'
  + `X-API-Key: ${API_KEY}\r\nContent-Length: 1000\r\n\r\n`;

/** Sends something that is too large, one kind after the other, and counts whether it is refused. */
class Oversized extends Kind {
  async once(index) {
    const [kind, bytes] = OVERSIZED[(index + this.figures.begun) % OVERSIZED.length];
    const socket = kind.startsWith('post') ? await this.#post(bytes) : await this.#say(bytes);
    if (socket === null) return this.count('notBegun');
    const answer = await refusal(socket);
    this.count(answer === null ? `${kind} survived` : `${kind} ${answer}`);
    socket.destroy();
  }

  async #say(frames) {
    const socket = await this.wire.joined();
    for (const bytes of frames) socket?.write(bytes);
    return socket;
  }

  async #post(bytes) {
    const sid = await this.wire.session();
    if (sid === null) return null;
    const socket = this.wire.connect();
    socket.write(pollingPost(sid, bytes.length, bytes));
    return socket;
  }
}

const OVERSIZED = [
  ['frame 17 KiB', [frame(`42["ping","${'x'.repeat(17 * KB)}"]`)]],
  ['frame 1 MiB', [frame(`42["ping","${'x'.repeat(KB * KB)}"]`)]],
  ['1 MiB in fragments', Array.from({ length: KB }, (_, at) => frame(FRAGMENT, { isFinal: at === KB - 1, isContinued: at > 0 }))],
  ['10,001 attachments', [frame('4510001-["join_product",{"_placeholder":true,"num":0}]')]],
  ['post 17 KiB', `42["ping","${'x'.repeat(17 * KB)}"]`],
  ['post 1 MiB', `42["ping","${'x'.repeat(KB * KB)}"]`],
];

/** `closed`, the status of a refusal, or null: the gateway took it, or lets it stand. */
async function refusal(socket) {
  let isClosed = socket.destroyed;
  socket.once('close', () => { isClosed = true; });
  const answer = await heard(socket, text => text.startsWith('HTTP/1.1 '), REFUSED_WITHIN_MS);
  const status = /^HTTP\/1.1 (\d+)/.exec(answer ?? '')?.[1];
  if (status !== undefined) return status.startsWith('4') ? status : null;
  return isClosed ? 'closed' : null;
}

/** One socket that says more than anybody may: joins of one product, joins and leaves, joins of ever other products. */
class JoinFlood extends Kind {
  async once(index) {
    const socket = await this.wire.joined();
    if (socket === null) return this.count('notBegun');
    socket.resume();
    const [name, messages] = FLOODS[index % FLOODS.length];
    const began = performance.now();
    const isOpen = () => !socket.destroyed;
    for (let sent = 0; sent < FLOOD_MESSAGES && isOpen(); sent += FLOOD_CHUNK) {
      const hasRoom = socket.write(messages[(sent / FLOOD_CHUNK) % messages.length]);
      this.count(`${name}: messages`, FLOOD_CHUNK);
      if (!hasRoom) await Promise.race([drained(socket), pause(REFUSED_WITHIN_MS)]);
    }
    if (isOpen()) await Promise.race([drained(socket), pause(REFUSED_WITHIN_MS)]);
    this.count(socket.destroyed ? `${name}: closed by the gateway` : `${name}: survived`);
    this.note('livesMs', performance.now() - began);
    socket.destroy();
  }
}

const drained = socket => new Promise(resolve => socket.once('drain', resolve).once('close', resolve));

const FLOOD_MESSAGES = 100_000;
const FLOOD_CHUNK = 100;
const join = product => frame(`42["join_product","${product}"]`);
const leave = product => frame(`42["leave_product","${product}"]`);
const chunk = make => Buffer.concat(Array.from({ length: FLOOD_CHUNK }, (_, at) => make(at)));
const FLOODS = [
  ['joins', [chunk(() => join('product-1'))]],
  ['joins and leaves', [chunk(at => (at % 2 === 0 ? join('product-1') : leave('product-1')))]],
  ['distinct joins', Array.from({ length: 100 }, (_, page) => chunk(at => join(`flood-${page * FLOOD_CHUNK + at}`)))],
];

/** Bytes that are no protocol, or half of one. */
class Garbage extends Kind {
  async once(index) {
    const bytes = GARBAGE[(index + this.figures.begun) % GARBAGE.length];
    const socket = Buffer.isBuffer(bytes) ? this.wire.connect() : await this.wire.joined();
    if (socket === null) return this.count('notBegun');
    socket.resume();
    socket.write(Buffer.isBuffer(bytes) ? bytes : bytes.frame);
    await Promise.race([new Promise(resolve => socket.once('close', resolve)), pause(1_000)]);
    this.count(socket.destroyed ? 'closed' : 'left open');
    socket.resetAndDestroy();
  }
}

const noise = Buffer.from(Array.from({ length: 4 * KB }, (_, at) => (at * 7919 + (at >> 3)) & 255));
const GARBAGE = [
  noise,
  Buffer.from('GET / HTTP/9.9\r\n\r\n'),
  Buffer.from(`GET ${'/'.repeat(20 * KB)} HTTP/1.1\r\n\r\n`),
  Buffer.from(`GET / HTTP/1.1\r\n${'X: y\r\n'.repeat(5_000)}\r\n`),
  Buffer.from('POST /api/notify HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'),
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff', 'latin1'),
  { frame: frame('42["join_product",{') },
  { frame: frame('42[[[[[[[[[[[[') },
  { frame: frame('9999') },
  { frame: Buffer.from([0x8f, 0x80, 0, 0, 0, 0]) },      // A reserved kind of frame.
  { frame: Buffer.from([0x81, 0x05, 1, 2, 3, 4, 5]) },   // Not masked.
];

/** New sessions as fast as they are given, each left behind at once. */
class Handshakes extends Kind {
  async once(index) {
    for (let burst = 0; burst < BURST; burst++) {
      if (index % 2 === 0) {
        const socket = await this.wire.joined();
        this.count(socket === null ? 'refused' : 'taken');
        socket?.resetAndDestroy();
      } else {
        this.count((await this.wire.session()) === null ? 'refused' : 'taken');
      }
    }
  }
}

export const KINDS = {
  idle: Idle,
  idleSession: IdleSession,
  slow: Slow,
  oversized: Oversized,
  joinFlood: JoinFlood,
  garbage: Garbage,
  handshakes: Handshakes,
};
