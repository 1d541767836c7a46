// Plain Socket.IO on Node, as one would write it in an afternoon: rooms, a 300 ms batcher, no log, no resume. It speaks what
// the load clients speak, and sends the same frames as the gateway. Arguments: port.
import http from 'node:http';
import { Server } from 'socket.io';

const WINDOW_MS = 300;
const EVENTS_MAX = 100;
const EPOCH = 'nodewrit';
const port = Number(process.argv[2]);

const server = http.createServer((request, response) => {
  if (request.method === 'POST' && request.url === '/api/notify') return notify(request, response);
  const status = request.url === '/health/ready' ? 200 : 404;
  response.writeHead(status, { 'Content-Length': 0 }).end();
});
const io = new Server(server, { transports: ['websocket'], perMessageDeflate: false, httpCompression: false, serveClient: false });

const roomsOf = ids => [ids].flat().map(id => `product:${id}`);

io.on('connection', socket => {
  socket.emit('connected', { socketId: socket.id, authenticated: false });
  socket.on('join_product', (ids, ack) => {
    socket.join(roomsOf(ids));
    ack?.({ ok: true });
  });
  socket.on('leave_product', (ids, ack) => {
    for (const room of roomsOf(ids)) socket.leave(room);
    ack?.({ ok: true });
  });
});

let last = 0;
const open = new Map();
const previous = new Map();

function notify(request, response) {
  const chunks = [];
  request.on('data', chunk => chunks.push(chunk));
  request.on('end', () => {
    let body;
    try {
      body = JSON.parse(Buffer.concat(chunks));
    } catch {
      return response.writeHead(400, { 'Content-Length': 0 }).end();
    }
    const events = body.events ?? [body];
    for (const event of events) accept(event);
    const answer = JSON.stringify({ accepted: events.length, duplicates: 0, cursor: `${EPOCH}.${last}`, duplicate: false });
    response.writeHead(202, { 'Content-Type': 'application/json', 'Content-Length': answer.length }).end(answer);
  });
}

function accept({ productId, type, data, timestamp = new Date().toISOString() }) {
  last += 1;
  let window = open.get(productId);
  if (!window) {
    window = { events: [], timer: setTimeout(flush, WINDOW_MS, productId) };
    open.set(productId, window);
  }
  window.events.push({ productId, type, data, timestamp });
  window.last = last;
  if (window.events.length === EVENTS_MAX) flush(productId);
}

function flush(productId) {
  const { events, timer, last: n } = open.get(productId);
  clearTimeout(timer);
  open.delete(productId);
  const batch = {
    productId,
    events,
    timestamp: new Date().toISOString().replace('Z', '000Z'),
    count: events.length,
    cursor: `${EPOCH}.${n}`,
    previousCursor: `${EPOCH}.${previous.get(productId) ?? 0}`,
    spreadMs: 0,
  };
  previous.set(productId, n);
  io.to(`product:${productId}`).emit('batched_product_update', batch);
}

server.listen({ port, host: '127.0.0.1', backlog: 4096 });
process.stdin.resume().on('end', () => process.exit(0));   // Whoever started this is gone.
