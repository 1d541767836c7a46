// The bytes that an attacker sends, made once: HTTP requests, WebSocket frames, packets of Engine.IO. No library stands
// between, because none of them would send what is sent here.
import net from 'node:net';

const ENGINE = '/socket.io/?EIO=4&transport=';
const OPENED_WITHIN_MS = 10_000;

export class Wire {
  /** `address`: where its connections come from. */
  constructor(port, address) {
    this.port = port;
    this.address = address;
  }

  connect() {
    const socket = net.connect({ port: this.port, host: '127.0.0.1', localAddress: this.address });
    socket.setNoDelay(true);
    socket.on('error', () => {});   // 'close' follows.
    return socket;
  }

  /** A socket after the upgrade to WebSocket and the engine's first packet, or null if it was refused. */
  async upgraded() {
    const socket = this.connect();
    socket.write(UPGRADE);
    const answer = await heard(socket, text => text.includes('"sid"') || text.startsWith('HTTP/1.1 4') || text.startsWith('HTTP/1.1 5'));
    if (answer?.startsWith('HTTP/1.1 101')) return socket;
    socket.destroy();
    return null;
  }

  /** ... and after the CONNECT of Socket.IO, so that its messages reach the application. */
  async joined() {
    const socket = await this.upgraded();
    if (socket === null) return null;
    socket.write(frame('40'));
    if ((await heard(socket, text => text.includes('40{'))) !== null) return socket;
    socket.destroy();
    return null;
  }

  /** The id of a new polling session, or null. */
  async session() {
    const socket = this.connect();
    socket.write(get(`${ENGINE}polling`));
    const answer = await heard(socket, text => text.includes('}') || /^HTTP\/1.1 [45]/.test(text));
    socket.resetAndDestroy();   // Nothing waits in the kernel for its end.
    return /"sid":"([^"]+)"/.exec(answer ?? '')?.[1] ?? null;
  }
}

/** What came until `isEnough`, or null if the connection ended or took too long. Nothing is read afterwards by it. */
export function heard(socket, isEnough, withinMs = OPENED_WITHIN_MS) {
  return new Promise(resolve => {
    let text = '';
    const over = answer => {
      clearTimeout(timer);
      socket.off('data', hear).off('close', closed);
      resolve(answer);
    };
    const hear = chunk => {
      text += chunk.toString('latin1');
      if (isEnough(text)) over(text);
    };
    const closed = () => over(null);
    const timer = setTimeout(closed, withinMs);
    socket.on('data', hear).once('close', closed);
  });
}

const get = path => `GET ${path} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n`;

const UPGRADE = `GET ${ENGINE}websocket HTTP/1.1\r\nHost: shop\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n`
  + 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';

export const pollingPost = (sid, length, body) =>
  `POST ${ENGINE}polling&sid=${sid} HTTP/1.1\r\nHost: shop\r\nContent-Type: text/plain\r\nContent-Length: ${length}\r\n\r\n${body}`;

/** One WebSocket frame of a client. It has to be masked; a mask of zeros leaves the bytes as they are. */
export function frame(text, { isFinal = true, isContinued = false } = {}) {
  const payload = Buffer.from(text);
  const length = payload.length;
  const size = length < 126 ? [length] : length < 65_536 ? [126, length >> 8, length & 255] : [127, 0, 0, 0, 0, ...be32(length)];
  size[0] |= 0x80;
  return Buffer.concat([Buffer.from([(isFinal ? 0x80 : 0) | (isContinued ? 0 : 1), ...size, 0, 0, 0, 0]), payload]);
}

const be32 = number => [number >>> 24, (number >> 16) & 255, (number >> 8) & 255, number & 255];
