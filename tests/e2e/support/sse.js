// Server-Sent Events, three ways: the bytes as they are, the `eventsource` package, and a proxy that cuts.
import http from 'node:http';
import net from 'node:net';

import { EventSource } from 'eventsource';

import { freePort } from './gateway.js';
import { Mailbox, within } from './wait.js';

export const streamPath = (products, more = '') => `/api/events?products=${products.join(',')}${more}`;

/** Opens a stream and reads its blocks one by one: `{ event, id, data, retry, text }`, each undefined where absent. */
export async function openStream(t, gateway, path, headers = {}) {
  const blocks = new Mailbox();
  const incoming = await within(new Promise((resolve, reject) => {
    const outgoing = http.get(`${gateway.url}${path}`, { headers, agent: false }, resolve).on('error', reject);
    t.after(() => outgoing.destroy());
  }), `the answer to ${path}`);
  let text = '';
  incoming.setEncoding('utf8');
  incoming.on('error', () => {});   // The end of the gateway or of the test; who waits for a block has a deadline.
  incoming.on('data', chunk => {
    const parts = (text + chunk).split('\n\n');
    text = parts.pop();
    for (const part of parts) blocks.push(readBlock(part));
  });
  return {
    status: incoming.statusCode,
    headers: incoming.headers,
    next: (what, fits, deadlineMs) => blocks.next(what, fits, deadlineMs),
    nextBatch: async productId => (await blocks.next(`a batch of ${productId}`, block => batchOf(block)?.productId === productId)),
    get unread() { return blocks.unread; },
  };
}

export const batchOf = block => (block.event === 'batched_product_update' ? JSON.parse(block.data) : undefined);

function readBlock(text) {
  const block = { text };
  for (const line of text.split('\n')) {
    const [, name, value] = /^([^:]*):? ?(.*)$/s.exec(line);   // U+2028 ends no line of a stream.
    if (name) block[name] = name === 'data' && block.data !== undefined ? `${block.data}\n${value}` : value;
  }
  return block;
}

/** The `eventsource` package, left to itself: it reconnects when and how it likes. */
export function watch(t, url) {
  const source = new EventSource(url);
  t.after(() => source.close());
  const inboxes = {};
  for (const name of ['open', 'error', 'message', 'batched_product_update', 'resync_required']) {
    inboxes[name] = new Mailbox();
    source.addEventListener(name, event => {
      inboxes[name].push({ id: event.lastEventId, body: typeof event.data === 'string' ? JSON.parse(event.data) : undefined });
    });
  }
  return {
    source,
    next: (name, fits = () => true) => inboxes[name].next(`${name} on the EventSource`, ({ body }) => fits(body)),
    nextBatch: async productId => (await inboxes.batched_product_update.next(`a batch of ${productId}`, ({ body }) => body.productId === productId)),
    unread: name => inboxes[name].unread,
  };
}

/** A wire to the gateway that can be cut: existing connections are reset, new ones refused until it is mended. */
export async function startWire(t, gateway) {
  let isCut = false;
  const ends = new Set();
  const keep = end => {
    ends.add(end);
    end.on('error', () => {}).on('close', () => ends.delete(end));
  };
  const server = net.createServer(near => {
    keep(near);
    if (isCut) return near.resetAndDestroy();
    const far = net.connect(gateway.port, '127.0.0.1');
    keep(far);
    near.pipe(far).pipe(near);
    near.on('close', () => far.destroy());
    far.on('close', () => near.destroy());
  });
  const port = await freePort();
  await new Promise(resolve => server.listen(port, '127.0.0.1', resolve));
  const cut = () => {
    isCut = true;
    for (const end of ends) end.resetAndDestroy();
  };
  t.after(() => { cut(); server.close(); });
  return { url: `http://127.0.0.1:${port}`, cut, mend: () => { isCut = false; } };
}
