// Connections without manners: bytes as they are, and WebSockets spoken by hand.
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import net from 'node:net';

import { within } from './wait.js';

/** A TCP connection: `text` is what came so far, `closed` resolves when the other end has ended it, however. */
export class Raw {
  text = '';

  constructor(t, gateway, { localAddress = '127.0.0.1' } = {}) {
    this.opened = performance.now();
    this.socket = net.connect({ port: gateway.port, host: '127.0.0.1', localAddress });
    this.closed = new Promise(resolve => this.socket.once('close', () => resolve(performance.now() - this.opened)));
    this.socket.on('error', () => {});   // A reset is an end like any other.
    this.socket.on('data', bytes => { this.text += bytes.toString('latin1'); });
    t.after(() => this.socket.destroy());
  }

  write(bytes) {
    this.socket.write(bytes);
    return this;
  }

  /** Waits until something came that fits. */
  async until(fits, what) {
    if (fits(this.text)) return this.text;
    await within(new Promise((resolve, reject) => {
      this.socket.on('data', () => { if (fits(this.text)) resolve(); });
      this.socket.once('close', () => (fits(this.text) ? resolve() : reject(new Error(`closed before ${what}: ${this.text}`))));
    }), what);
    return this.text;
  }

  get isClosed() {
    return this.socket.destroyed;
  }
}

/** A frame from a client: masked, as the protocol wants it. */
export function frame(payload, { opcode = 1, fin = true } = {}) {
  const body = Buffer.from(payload);
  const mask = randomBytes(4);
  const length = body.length < 126 ? Buffer.from([body.length | 0x80])
    : body.length < 65_536 ? Buffer.from([126 | 0x80, body.length >> 8, body.length & 255])
      : Buffer.concat([Buffer.from([127 | 0x80, 0, 0, 0, 0]), Buffer.from(Uint32Array.of(body.length).buffer).reverse()]);
  const masked = body.map((byte, i) => byte ^ mask[i % 4]);
  return Buffer.concat([Buffer.from([(fin ? 0x80 : 0) | opcode]), length, mask, masked]);
}

/** A WebSocket spoken by hand, connected to the default namespace. `auth`: what the client sends with its CONNECT. */
export async function openWebSocket(t, gateway, { auth, localAddress } = {}) {
  const raw = new Raw(t, gateway, { localAddress });
  const key = randomBytes(16).toString('base64');
  raw.write(`GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n`
    + `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`);
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  await raw.until(text => text.toLowerCase().includes(accept.toLowerCase()), 'the upgrade');
  raw.write(frame(`40${auth ? JSON.stringify(auth) : ''}`));
  await raw.until(text => text.includes('"connected"'), 'the greeting');
  return raw;
}

/** How many files the gateway has open. */
export const openFiles = gateway => readdirSync(`/proc/${gateway.pid}/fd`).length;

/** The bytes that its kernel has taken and the program has not read yet; none of a connection that is no more. */
export function untaken(raw) {
  const local = `:${(raw.socket.localPort ?? 0).toString(16).padStart(4, '0').toUpperCase()}`;
  const lines = readFileSync('/proc/net/tcp', 'ascii').split('\n').map(line => line.trim().split(/\s+/));
  const line = lines.find(([, address, , state]) => address?.endsWith(local) && state !== '0A');
  return line && parseInt(line[4].split(':')[1], 16);
}
