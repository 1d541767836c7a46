// A gateway whose Redis is not there yet: it lives, it is not ready, and it says so on both of its ports.
import assert from 'node:assert/strict';
import net from 'node:net';
import { test } from 'node:test';

import { RedisServer } from './chaos/redis.js';
import { run } from './support/command.js';
import { Gateway, freePort } from './support/gateway.js';
import { request } from './support/http.js';
import { post, price } from './support/notify.js';
import { Raw } from './support/raw.js';
import { pause, until, within } from './support/wait.js';

/** So long nothing is answered (`app/starting.rs`). */
const QUICK_START_MS = 800;

/** Whether this is answered, and well. */
const is200 = (gateway, path) => request(gateway, path).then(({ status }) => status === 200, () => false);

test('a gateway that waits for its Redis answers on both ports, by name, and is ready once that is there', async t => {
  // Goal: nobody who asks a starting gateway hangs for long, and every refusal can be found again. Method: a port at which a Redis
  // comes only later; a probe, a publisher and a scrape in between; the gateway on an address of its own.
  const redis = await RedisServer.start();
  await redis.kill9();
  const admin = { url: `http://127.0.0.5:${await freePort()}` };
  const gateway = new Gateway(await freePort(), {
    REDIS_URL: redis.url, HOST: '127.0.0.5', ADMIN_PORT: new URL(admin.url).port, ADMIN_HOST: '127.0.0.5',
  });
  const own = { url: gateway.url.replace('127.0.0.1', '127.0.0.5') };
  const env = { HOST: '127.0.0.5', PORT: String(gateway.port) };
  gateway.start().catch(() => {});
  t.after(() => gateway.kill());
  t.after(() => redis.kill9());
  await until(() => is200(own, '/health/live'), 'a gateway that lives');

  for (const [port, path, options] of [
    [own, '/health/ready', {}],
    [own, '/api/notify', { method: 'POST', body: '{}' }],
    [admin, '/metrics', {}],
  ]) {
    const { status, headers, json } = await request(port, path, options);
    assert.equal(status, 503, path);
    assert.equal(json.code, 'log_unavailable');
    assert.ok(json.requestId, `an id for ${path}`);
    assert.equal(headers['x-request-id'], json.requestId);
    assert.equal(headers.connection, 'close');
  }
  assert.equal((await run(t, ['healthcheck'], env)).code, 1);

  await redis.start();
  await until(() => is200(own, '/health/ready'), 'a gateway that is ready');
  assert.match((await request(admin, '/metrics')).text, /^shelfcast_health_state\{state="ready"\} 1$/m);
  assert.equal((await run(t, ['healthcheck'], env)).code, 0);
});

test('a post that meets a gateway in a quick start waits for it and is accepted', async t => {
  // Goal: a deploy refuses no post. Method: a Redis that holds its breath for a moment while the gateway starts.
  const redis = await RedisServer.start();
  t.after(() => redis.kill9());
  const gateway = new Gateway(await freePort(), { REDIS_URL: redis.url });
  redis.stop();
  const startedAt = performance.now();
  gateway.start().catch(() => {});
  t.after(() => gateway.kill());
  const isOpen = () => new Promise(resolve => {
    const socket = net.connect(gateway.port, '127.0.0.1', () => { socket.destroy(); resolve(true); }).once('error', () => resolve(false));
  });
  await until(isOpen, 'an open port');
  const posted = post(gateway, price('p1', 1)).then(({ status }) => status);
  await pause(100);
  redis.resume();
  const end = await within(posted, 'the answer');
  // A machine that stood still meanwhile made it a slow start.
  const isQuick = performance.now() - startedAt < QUICK_START_MS;
  assert.ok(end === 202 || !isQuick && end === 503, `${end}`);
});

test('who was let in while it started and asks when it is there is answered', async t => {
  // Goal: the end of a slow start resets nobody. Method: a connection that says nothing until the gateway is ready.
  const { gateway, redis } = await startWithoutRedis(t);
  const silent = new Raw(t, gateway);
  await pause(200);
  await redis.start();
  await until(() => is200(gateway, '/health/ready'), 'a gateway that is ready');
  silent.write('GET /health/ready HTTP/1.1\r\nHost: x\r\n\r\n');
  await within(silent.closed, 'the end of the answer');
  assert.match(silent.text, /^HTTP\/1\.1 503 /);
});

test('who only began to ask while it started does not stay', async t => {
  // Goal: a start leaves nothing behind that nobody looks after. Method: half requests before its Redis is there.
  const { gateway, redis } = await startWithoutRedis(t);
  const half = ['G', 'GET /health HT', 'POST /api/notify HTTP/1.1\r\nHost: x\r\n'].map(text => new Raw(t, gateway).write(text));
  await pause(200);
  await redis.start();
  await until(() => is200(gateway, '/health/ready'), 'a gateway that is ready');
  for (const { closed } of half) await within(closed, 'the end of a half request', 8_000);
});

/** A gateway that lives and is not ready, and the Redis that it waits for. */
async function startWithoutRedis(t) {
  const redis = await RedisServer.start();
  await redis.kill9();
  t.after(() => redis.kill9());
  const gateway = new Gateway(await freePort(), { REDIS_URL: redis.url });
  gateway.start().catch(() => {});
  t.after(() => gateway.kill());
  await until(() => is200(gateway, '/health/live'), 'a gateway that lives');
  return { gateway, redis };
}
