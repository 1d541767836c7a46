// What docs/nginx.md says, word for word, in front of two real gateways on one Redis.
import assert from 'node:assert/strict';
import http from 'node:http';
import { test } from 'node:test';

import { RedisServer } from '../../e2e/chaos/redis.js';
import { Client } from '../../e2e/support/client.js';
import { Gateway } from '../../e2e/support/gateway.js';
import { request } from '../../e2e/support/http.js';
import { notify, post, price } from '../../e2e/support/notify.js';
import { batchOf, openStream, streamPath } from '../../e2e/support/sse.js';
import { within } from '../../e2e/support/wait.js';
import { boxesOf, Nginx, withGateways } from '../support/nginx.js';

const [WHOLE, WITHOUT_AFFINITY] = boxesOf('docs/nginx.md');
const upstream = text => /^upstream .*?^}$/ms.exec(text)[0];

/** Two gateways, and nginx before them. */
async function start(t, { configuration = WHOLE, env = {} } = {}) {
  const redis = await RedisServer.start();
  t.after(() => redis.kill9());
  const gateways = await Promise.all([1, 2].map(() => Gateway.start({ REDIS_URL: redis.url, BATCH_WINDOW_MS: '50', ...env })));
  t.after(() => Promise.all(gateways.map(gateway => gateway.kill())));
  const nginx = await Nginx.start(t, withGateways(configuration, gateways));
  return { nginx, gateways };
}

async function client(t, nginx, options) {
  const own = new Client(nginx, options);
  t.after(() => own.socket.close());
  return own.ready();
}

test('clients of every transport hear of an event that comes through nginx, while their connections stay open', async t => {
  const { nginx } = await start(t);
  const clients = await Promise.all([
    client(t, nginx, { road: 'websocket' }),
    client(t, nginx, { road: 'polling', withCredentials: true }),
    client(t, nginx, { road: 'polling then upgrade', withCredentials: true }),
  ]);
  const stream = await openStream(t, nginx, streamPath(['p1']));
  for (const one of clients) await one.join('p1');
  for (const figure of [1, 2]) {
    await notify(nginx, price('p1', figure));
    for (const one of clients) assert.equal((await one.nextBatch('p1')).events[0].data.newPrice, figure);
    assert.equal(batchOf(await stream.nextBatch('p1')).events[0].data.newPrice, figure);
  }
  assert.deepEqual(clients.map(({ transport }) => transport), ['websocket', 'polling', 'websocket']);
});

test('sessions that poll stay at their gateway, and are spread over both', async t => {
  const { nginx, gateways } = await start(t);
  const clients = await Promise.all(Array.from({ length: 16 }, () => client(t, nginx, { road: 'polling', withCredentials: true })));
  await Promise.all(clients.map(one => one.join('p1')));
  await notify(nginx, price('p1', 1));
  for (const one of clients) await one.nextBatch('p1');
  const counts = await Promise.all(gateways.map(async gateway => (await gateway.health()).connections));
  assert.equal(counts[0] + counts[1], 16);
  assert.ok(Math.min(...counts) > 0, `${counts}`);
});

test('without affinity a session that polls meets the wrong gateway', async t => {
  const configuration = WHOLE.replace(upstream(WHOLE), upstream(WITHOUT_AFFINITY).replace('least_conn;', ''));
  const { nginx } = await start(t, { configuration });
  const polling = new Client(nginx, { road: 'polling' });
  t.after(() => polling.socket.close());
  const lost = Promise.race([polling.refused, polling.disconnected]);
  await within(lost, 'the refusal of a session that is not known');
});

test('the box without affinity is one that nginx takes', async t => {
  const { nginx } = await start(t, { configuration: WHOLE.replace(upstream(WHOLE), upstream(WITHOUT_AFFINITY)) });
  const websocket = await client(t, nginx, { road: 'websocket' });
  await websocket.join('p1');
  await notify(nginx, price('p1', 1));
  await websocket.nextBatch('p1');
});

test('with no gateway at all a stream is told to come again, and a post is not told that it was accepted', async t => {
  const { nginx, gateways } = await start(t);
  await Promise.all(gateways.map(gateway => gateway.kill()));
  const stream = await request(nginx, streamPath(['p1']));
  assert.deepEqual([stream.status, stream.headers['content-type'], stream.text], [200, 'text/event-stream', 'retry: 3000\n\n']);
  assert.equal((await post(nginx, price('p1', 1))).status, 502);
});

test('clients are counted by their own address, whatever they write into the header', async t => {
  const { nginx } = await start(t, { env: { TRUSTED_PROXIES: '127.0.0.1', MAX_CONNECTIONS_PER_IP: '1' } });
  // The same cookie, so that all of them meet the same gateway.
  const cookie = 'shelfcast=fwAAAWVQb0kAAAABAwMCAg==';
  const first = await open(t, nginx, '127.0.0.2', { cookie });
  assert.equal(first, 'open');
  assert.equal(await open(t, nginx, '127.0.0.2', { cookie }), 'ended');
  assert.equal(await open(t, nginx, '127.0.0.2', { cookie, 'x-forwarded-for': '198.51.100.7' }), 'ended');
  assert.equal(await open(t, nginx, '127.0.0.3', { cookie }), 'open');
});

/** Opens a stream from that address; tells whether it stays open. */
function open(t, nginx, localAddress, headers) {
  const answer = new Promise((resolve, reject) => {
    const outgoing = http.get(`${nginx.url}${streamPath(['p1'])}`, { headers, localAddress, agent: false }, incoming => {
      let text = '';
      incoming.setEncoding('utf8').on('error', () => {});
      incoming.on('data', chunk => {
        text += chunk;
        if (text.includes('id:')) resolve('open');
      });
      incoming.on('end', () => resolve('ended'));
    }).on('error', reject);
    t.after(() => outgoing.destroy());
  });
  return within(answer, `a stream from ${localAddress}`);
}
