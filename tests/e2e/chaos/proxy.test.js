// The chaos proxy does to a plain TCP echo what it will do to Redis and the gateway.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { test } from 'node:test';

import { pause, within } from '../support/wait.js';
import { ChaosProxy } from './proxy.js';

const QUIET_MS = 100;

test('passes both ways, and the end of the stream too', async t => {
  // Goal: no weather, no difference. Method: more than a socket buffer there and back, then a half-close.
  const { connect } = await echoBehindProxy(t);
  const client = await connect();
  const sent = Buffer.alloc(1024 * 1024, 'x');
  client.end(sent);
  assert.equal(Buffer.concat(await within(client.toArray(), 'the echo')).equals(sent), true);
});

test('delays without holding up what follows', async t => {
  // Goal: latency, not a narrow pipe. Method: two messages shortly after another, the time of both answers.
  const { proxy, connect } = await echoBehindProxy(t);
  proxy.delay(100);
  const client = await connect();
  const began = performance.now();
  client.write('one');
  await pause(20);
  client.write('two');
  assert.equal(await text(client, 6), 'onetwo');
  assert.ok(performance.now() - began >= 190, 'each way takes the delay');
});

test('throttles', async t => {
  // Goal: bytes take their time. Method: 2,000 bytes at 10,000/s, each way.
  const { proxy, connect } = await echoBehindProxy(t);
  proxy.throttle(10_000);
  const client = await connect();
  const began = performance.now();
  client.write(Buffer.alloc(2_000, 'x'));
  await text(client, 2_000);
  assert.ok(performance.now() - began >= 140, 'four slices, three waits of 50 ms');
});

test('a black hole swallows, keeps the socket open, and resets it when healed', async t => {
  // Goal: silence, not an error; afterwards never a stream with a hole. Method: send into it, wait, heal.
  const { proxy, connect } = await echoBehindProxy(t);
  const client = await connect();
  proxy.blackHole('down');
  client.write('lost');
  await pause(QUIET_MS);
  assert.equal(client.readableLength, 0);
  assert.equal(client.destroyed, false);
  proxy.heal();
  await reset(client);
  const next = await connect();
  next.write('again');
  assert.equal(await text(next, 5), 'again');
});

test('loses one reply and the connection with it, and only that one', async t => {
  // Goal: the question arrives, the answer does not. Method: count what the server got.
  const { proxy, connect, received } = await echoBehindProxy(t);
  proxy.dropNextReply();
  const client = await connect();
  client.write('question');
  await reset(client);
  assert.equal(received(), 'question');
  const next = await connect();
  next.write('again');
  assert.equal(await text(next, 5), 'again');
});

test('loses replies for a time, then the connections that missed one', async t => {
  // Goal: as above, for a while. Method: a connection that asks meanwhile and one that does not.
  const { proxy, connect } = await echoBehindProxy(t);
  const [asks, waits] = [await connect(), await connect()];
  const over = proxy.dropRepliesFor(QUIET_MS);
  asks.write('lost');
  await Promise.all([over, reset(asks)]);
  waits.write('kept');
  assert.equal(await text(waits, 4), 'kept');
});

test('cuts after so many bytes', async t => {
  // Goal: half an answer. Method: a limit below the second reply.
  const { proxy, connect } = await echoBehindProxy(t);
  proxy.cutAfter(10);
  const client = await connect();
  client.write('12345678');
  assert.equal(await text(client, 8), '12345678');
  client.write('12345678');
  await reset(client);
});

test('refuses new connections, leaves old ones, and leads to another server when told', async t => {
  // Goal: the three other commands. Method: one after the other on one proxy.
  const { proxy, connect } = await echoBehindProxy(t);
  const old = await connect();
  await proxy.refuse();
  await assert.rejects(connect(), { code: 'ECONNREFUSED' });
  old.write('still');
  assert.equal(await text(old, 5), 'still');
  await proxy.accept();

  const other = net.createServer(socket => socket.on('error', () => {}).end('other')).listen(0, '127.0.0.1');
  t.after(() => other.close());
  await once(other, 'listening');
  proxy.retarget({ port: other.address().port });
  assert.equal(await text(await connect(), 5), 'other');
  proxy.resetAll();
  await reset(old);
});

async function echoBehindProxy(t) {
  let received = '';
  const server = net.createServer({ allowHalfOpen: true }, socket => {
    socket.on('error', () => {});
    socket.on('data', chunk => { received += chunk; });
    socket.pipe(socket);
  });
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
  const proxy = await ChaosProxy.start({ port: server.address().port });
  t.after(async () => {
    await proxy.close();
    server.close();
  });
  const connect = async () => {
    const client = net.connect(proxy.port, '127.0.0.1');
    t.after(() => client.destroy());
    await once(client, 'connect');
    client.on('error', () => {});
    return client;
  };
  return { proxy, connect, received: () => received };
}

async function text(socket, length) {
  let all = '';
  await within((async () => {
    while (all.length < length) {
      all += socket.read() ?? '';
      if (all.length < length) await once(socket, 'readable');
    }
  })(), `${length} bytes`);
  return all;
}

function reset(socket) {
  if (socket.destroyed) return undefined;
  return within(new Promise(resolve => socket.resume().once('close', resolve)), 'the reset');
}
