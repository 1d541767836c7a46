// `shelfcast trace`: two pods on one Redis, and what each can say of an event that one of them took.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { RedisServer } from './chaos/redis.js';
import { connect } from './support/client.js';
import { run } from './support/command.js';
import { API_KEY, Gateway, freePort } from './support/gateway.js';
import { request } from './support/http.js';
import { post, price } from './support/notify.js';
import { fresh } from './support/shapes.js';
import { openStream, streamPath } from './support/sse.js';
import { until } from './support/wait.js';

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';
const TRACEPARENT = `00-${TRACE_ID}-b7ad6b7169203331-01`;
const OTHER_KEY = 'another-key-that-only-this-test-knows-0001';

let redis;
const pods = {};

before(async () => {
  redis = await RedisServer.start();
  for (const name of ['pod-a', 'pod-b']) {
    const adminPort = await freePort();
    const gateway = await Gateway.start({
      REDIS_URL: redis.url, ADMIN_PORT: String(adminPort), ADMIN_HOST: 'localhost', POD_NAME: name, BATCH_WINDOW_MS: '100',
      INTERNAL_API_KEY: `${OTHER_KEY},${API_KEY}`,
    });
    pods[name] = { gateway, admin: `http://127.0.0.1:${adminPort}` };
  }
});

after(async () => {
  await Promise.all(Object.values(pods).map(({ gateway }) => gateway.stop()));
  await redis.kill9();
});

/** Accepted, with these headers. */
async function tell(pod, event, headers = {}) {
  const answer = await post(pod.gateway, event, { headers });
  assert.equal(answer.status, 202, answer.text);
  return answer;
}

const reportOf = async (pod, product) => (await request({ url: pod.admin }, `/trace/${product}`)).json;

describe('shelfcast trace', () => {
  test('tells of both pods who accepted, in which batch, and whom each told', async t => {
    // Goal: the way of two events from one publisher to three viewers. Method: one event to each pod, the first with a
    // request id and a trace; two viewers at one pod, one at the other; then ask both in one command.
    const product = fresh('traced');
    const { 'pod-a': a, 'pod-b': b } = pods;
    const client = await connect(t, a.gateway);
    await client.join(product);
    await openStream(t, a.gateway, streamPath([product]));
    const elsewhere = await openStream(t, b.gateway, streamPath([product]));
    const first = await tell(a, price(product, 1), { 'x-request-id': 'order-4711', traceparent: TRACEPARENT });
    assert.equal(first.headers['x-request-id'], 'order-4711');
    await tell(b, price(product, 2));
    await client.nextBatch(product);
    await elsewhere.nextBatch(product);
    for (const pod of [a, b]) await until(async () => (await reportOf(pod, product)).events.length === 2, 'both events in its report');

    const [atA, atB] = [await reportOf(a, product), await reportOf(b, product)];
    for (const { events } of [atA, atB]) {
      assert.deepEqual(events.map(({ source, pod }) => [source, pod]), [['key:2', 'pod-a'], ['key:2', 'pod-b']]);
      assert.deepEqual([events[0].requestId, events[0].traceId], ['order-4711', TRACE_ID]);
      assert.match(events[1].requestId, /^[0-9a-f]{16}$/);
      assert.equal(events[1].traceId, undefined);
    }
    const told = ({ batches }) => batches.reduce((sum, { socketio, sse, events }) => [sum[0] + socketio, sum[1] + sse, sum[2] + events], [0, 0, 0]);
    assert.equal(told(atA)[2], 2);
    assert.deepEqual(told(atA).slice(0, 2).map(count => count / atA.batches.length), [1, 1]);
    assert.equal(told(atB)[1] / atB.batches.length, 1);
    assert.deepEqual([atA.viewers, atB.viewers], [2, 1]);

    const { code, output } = await run(t, ['trace', product, '--admin', a.admin, '--admin', b.admin]);
    assert.equal(code, 0, output);
    for (const said of [
      /pod-a +2 viewers now/, /pod-b +1 viewer now/,
      new RegExp(`accepted by pod-a from key:2, request order-4711, trace ${TRACE_ID}`), /accepted by pod-b from key:2, request [0-9a-f]{16}/,
      /pod-a told 2 viewers \(1 Socket\.IO, 1 SSE\)/, /pod-b told 1 viewer \(0 Socket\.IO, 1 SSE\)/, /batch of \d events? /,
    ]) assert.match(output, said);
    for (const key of [API_KEY, OTHER_KEY]) assert.ok(!output.includes(key), 'a key is told');
    t.diagnostic(`\n${output}`);
  });

  test('knows of an event that nobody watched who brought it, and tells nobody of it', async t => {
    // Goal: the common question "was it accepted at all?". Method: a product without viewers, asked for as JSON.
    const product = fresh('unwatched');
    await tell(pods['pod-a'], price(product, 1));
    await until(async () => (await reportOf(pods['pod-b'], product)).events.length === 1, 'the event in the report');
    const { code, output } = await run(t, ['trace', product, '--json', '--admin', pods['pod-b'].admin]);
    assert.equal(code, 0, output);
    const { events, batches, viewers } = JSON.parse(output);
    assert.deepEqual([events[0].pod, batches, viewers], ['pod-a', [], 0]);
  });

  test('says so when nothing is known, when the port is the public one, and when there is none', async t => {
    // Goal: no false calm. Method: a product that never was, the wrong port, no port.
    const admin = pods['pod-a'].admin;
    const nothing = await run(t, ['trace', fresh('never'), '--admin', admin]);
    assert.equal(nothing.code, 0);
    assert.match(nothing.output, /nothing: no event of it is remembered/);
    const publicPort = await run(t, ['trace', 'p1', '--admin', pods['pod-a'].gateway.url]);
    assert.equal(publicPort.code, 1);
    assert.match(publicPort.output, /404; is this the private port\?/);
    const none = await run(t, ['trace', 'p1']);
    assert.equal(none.code, 64);
    assert.match(none.output, /ADMIN_PORT/);
  });
});
