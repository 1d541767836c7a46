// A deploy loses nothing: what was accepted before SIGTERM reaches everybody who looks, and they come back.
import assert from 'node:assert/strict';
import http from 'node:http';
import { test } from 'node:test';

import { RedisServer } from './chaos/redis.js';
import { connect, ROADS } from './support/client.js';
import { API_KEY, Gateway } from './support/gateway.js';
import { request } from './support/http.js';
import { notify, post, price } from './support/notify.js';
import { Raw } from './support/raw.js';
import { openStream, streamPath } from './support/sse.js';
import { prices } from './support/shapes.js';
import { pause, until, within } from './support/wait.js';

for (const road of Object.keys(ROADS)) {
  test(`over ${road} an open window leaves before the gateway does, and the client comes back`, async t => {
    // Goal: no accepted event is lost to a graceful end, and no client is told to stay away. Method: SIGTERM right
    // after the 202, while the window is open; then a new gateway on the same port.
    const gateway = await Gateway.start();
    t.after(() => gateway.stop());
    const client = await connect(t, gateway, { road, reconnection: true, reconnectionDelay: 50, reconnectionDelayMax: 200 });
    await client.join('p1');
    await notify(gateway, price('p1', 7));
    const ended = gateway.stop();
    assert.deepEqual(prices([await client.nextBatch('p1')]), [7]);
    const reason = await within(client.disconnected, 'the close');
    assert.notEqual(reason, 'io server disconnect', 'after which clients do not come back');
    await ended;

    const back = new Promise(resolve => client.socket.once('connect', resolve));
    await gateway.start();
    await within(back, 'the client to come back');
    const { ok } = await client.join('p1');
    assert.equal(ok, true);
  });
}

/** One request on a connection that is kept, as publishers and proxies keep theirs. */
function keep(t, gateway) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  const send = (path, method, body) => new Promise((resolve, reject) => {
    const headers = body ? { 'x-api-key': API_KEY, 'content-type': 'application/json' } : {};
    const outgoing = http.request(`${gateway.url}${path}`, { agent, method, headers }, incoming => {
      let text = '';
      incoming.on('data', chunk => { text += chunk; });
      incoming.on('end', () => resolve({ status: incoming.statusCode, headers: incoming.headers, text }));
    });
    outgoing.on('error', reject);
    outgoing.end(body && JSON.stringify(body));
  });
  return { get: path => send(path, 'GET'), post: body => send('/api/notify', 'POST', body) };
}

test('it serves on while load balancers learn of it, then closes one after the other, and delivers all the while', async t => {
  const DELAY_MS = 1_500;
  const SPREAD_MS = 3_000;
  const COUNT = 30;
  const gateway = await Gateway.start({ BATCH_WINDOW_MS: '50', DRAIN_DELAY_MS: String(DELAY_MS), DRAIN_SPREAD_MS: String(SPREAD_MS) });
  t.after(() => gateway.kill());
  const roads = Object.keys(ROADS);
  const clients = await Promise.all(Array.from({ length: COUNT }, (_, i) => connect(t, gateway, { road: roads[i % roads.length] })));
  await Promise.all(clients.map(client => client.join('p1')));
  const kept = keep(t, gateway);
  assert.equal((await kept.get('/health/ready')).status, 200);

  const start = performance.now();
  const ended = gateway.stop();
  const closed = clients.map(client => client.disconnected.then(reason => ({ reason, at: performance.now() - start })));
  await until(async () => (await kept.get('/health/ready')).status === 503, 'not to be ready');
  const served = await post(gateway, price('p1', 1));
  assert.deepEqual([served.status, served.headers.connection], [202, 'close']);
  assert.equal((await connect(t, gateway)).socket.connected, true, 'who comes meanwhile is let in');
  for (const client of clients) await client.nextBatch('p1');
  assert.ok(performance.now() - start < DELAY_MS, 'all of that within the delay');

  const ends = await Promise.all(closed);
  assert.equal(await ended, undefined);
  const took = performance.now() - start;
  const at = ends.map(end => end.at).sort((a, b) => a - b);
  assert.ok(at[0] >= DELAY_MS, `the first after ${at[0]} ms`);
  assert.ok(at[COUNT - 1] - at[0] > SPREAD_MS / 2, 'not all at once');
  for (let i = 0; i + COUNT / 3 < COUNT; i += 1) {
    assert.ok(at[i + COUNT / 3] - at[i] > SPREAD_MS / 8, `a third of them within ${at[i + COUNT / 3] - at[i]} ms`);
  }
  assert.ok(took < DELAY_MS + SPREAD_MS + 5_000, `${took} ms`);
  for (const { reason } of ends) assert.ok(['transport close', 'transport error'].includes(reason), reason);
});

test('once it closes it takes nothing more in, and says so on connections that are kept', async t => {
  const gateway = await Gateway.start({ DRAIN_DELAY_MS: '0', DRAIN_SPREAD_MS: '4000' });
  t.after(() => gateway.kill());
  const asked = [keep(t, gateway), keep(t, gateway), keep(t, gateway)];
  for (const kept of asked) await kept.get('/health/live');
  // Two sessions: one to go at half time, one at the end.
  const clients = [await connect(t, gateway), await connect(t, gateway)];
  const ended = gateway.stop();
  await within(clients[0].disconnected, 'the first close');

  const [posted, handshake, stream] = await Promise.all([asked[0].post(price('p1', 1)),
    asked[1].get('/socket.io/?EIO=4&transport=polling'), asked[2].get(streamPath(['p1']))]);
  assert.deepEqual([posted.status, JSON.parse(posted.text).code, posted.headers['retry-after']], [503, 'draining', '1']);
  assert.deepEqual([handshake.status, JSON.parse(handshake.text).code], [503, 'draining']);
  assert.deepEqual([stream.status, stream.headers['content-type']], [200, 'text/event-stream'], 'EventSource dies of anything else');
  assert.equal(posted.headers.connection, 'close');
  const knock = new Raw(t, gateway);
  await within(knock.closed, 'a new connection to be refused');
  assert.equal(knock.text, '');
  await within(clients[1].disconnected, 'the last close');
  await ended;
});

test('a Redis that stands still does not keep it from closing one after the other', async t => {
  // Goal: trouble with the log makes no herd of a deploy, and the end comes by itself. Method: Redis stopped, not killed, so that
  // nothing it is asked ends; what the gateway says at its end.
  const SPREAD_MS = 4_000;
  const COUNT = 20;
  const redis = await RedisServer.start();
  t.after(() => redis.kill9());
  const gateway = await Gateway.start({ REDIS_URL: redis.url, DRAIN_DELAY_MS: '0', DRAIN_SPREAD_MS: String(SPREAD_MS) });
  t.after(() => gateway.kill());
  const clients = await Promise.all(Array.from({ length: COUNT }, () => connect(t, gateway)));
  await Promise.all(clients.map(client => client.join('p1')));
  redis.stop();
  for (let i = 0; i < 10; i += 1) post(gateway, price('p1', i)).catch(() => {});
  await pause(200);
  const start = performance.now();
  const ended = gateway.stop();
  const at = await Promise.all(clients.map(client => client.disconnected.then(() => performance.now() - start)));
  await ended;
  assert.match(gateway.output, /were not handed over in time/);
  assert.doesNotMatch(gateway.output, /not everything came to its end/);
  at.sort((a, b) => a - b);
  assert.ok(at[COUNT - 1] - at[0] > SPREAD_MS / 2, `all of them within ${at[COUNT - 1] - at[0]} ms`);
  for (let i = 0; i + COUNT / 2 < COUNT; i += 1) {
    assert.ok(at[i + COUNT / 2] - at[i] > SPREAD_MS / 8, `half of them within ${at[i + COUNT / 2] - at[i]} ms`);
  }
});

test('clients that poll are closed one after the other as well', async t => {
  const gateway = await Gateway.start({ BATCH_WINDOW_MS: '50', DRAIN_DELAY_MS: '0', DRAIN_SPREAD_MS: '3000' });
  t.after(() => gateway.kill());
  const clients = await Promise.all(Array.from({ length: 10 }, () => connect(t, gateway, { road: 'polling' })));
  await Promise.all(clients.map(client => client.join('p1')));
  await notify(gateway, price('p1', 1));
  for (const client of clients) await client.nextBatch('p1');   // Each polls again right now.
  const start = performance.now();
  const ended = gateway.stop();
  const at = await Promise.all(clients.map(client => client.disconnected.then(() => performance.now() - start)));
  await ended;
  at.sort((a, b) => a - b);
  assert.ok(at[4] > 700, `half of them within ${at[4]} ms`);
  assert.ok(at[9] > 2_000, `all of them within ${at[9]} ms`);
});

test('a poll that waits is answered with the word to open a new session', async t => {
  const gateway = await Gateway.start({ DRAIN_DELAY_MS: '0', DRAIN_SPREAD_MS: '0' });
  t.after(() => gateway.kill());
  const open = await request(gateway, '/socket.io/?EIO=4&transport=polling');
  const poll = `/socket.io/?EIO=4&transport=polling&sid=${JSON.parse(open.text.slice(1)).sid}`;
  await request(gateway, poll, { method: 'POST', body: '40' });
  await until(async () => (await gateway.health()).connections === 1, 'the session');
  // The first polls bring what is there; then one waits.
  let waiting;
  for (let brought = true; brought;) {
    waiting = request(gateway, poll);
    brought = await Promise.race([waiting.then(() => true), pause(300).then(() => false)]);
  }
  const ended = gateway.stop();
  const { status, json } = await waiting;
  assert.deepEqual([status, json.code], [400, 1]);
  await ended;
});

test('a stream ends after what was accepted for it', async t => {
  const gateway = await Gateway.start({ BATCH_WINDOW_MS: '500', DRAIN_DELAY_MS: '0', DRAIN_SPREAD_MS: '100' });
  t.after(() => gateway.kill());
  const stream = await openStream(t, gateway, streamPath(['p1']));
  await notify(gateway, price('p1', 9));
  const ended = gateway.stop();
  await stream.nextBatch('p1');
  await ended;
});

test('a second signal ends it at once', async t => {
  const gateway = await Gateway.start({ DRAIN_DELAY_MS: '60000' });
  t.after(() => gateway.kill());
  process.kill(gateway.pid, 'SIGTERM');
  await until(async () => (await request(gateway, '/health/ready')).status === 503, 'the drain');
  process.kill(gateway.pid, 'SIGTERM');
  assert.equal(await within(gateway.ended, 'the end', 2_000), 1);
});

test('Ctrl-C does not make a person wait', async t => {
  const gateway = await Gateway.start({ DRAIN_DELAY_MS: '60000', DRAIN_SPREAD_MS: '60000' });
  t.after(() => gateway.kill());
  const client = await connect(t, gateway);
  process.kill(gateway.pid, 'SIGINT');
  assert.equal(await within(gateway.ended, 'the end', 4_000), 0);
  assert.notEqual(await within(client.disconnected, 'the close'), 'io server disconnect');
});
