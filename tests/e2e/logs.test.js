// LOG_FORMAT=json: every line is one object, with the fields of docs/logs.md and no others; requests are found by their id.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { connect } from './support/client.js';
import { Gateway } from './support/gateway.js';
import { post, price } from './support/notify.js';
import { fresh } from './support/shapes.js';
import { until } from './support/wait.js';

const ALWAYS = ['timestamp', 'level', 'target', 'message'];
const DOCUMENTED = new Set(
  [...readFileSync(fileURLToPath(new URL('../../docs/logs.md', import.meta.url)), 'utf8').matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name),
);
const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';
const TRACEPARENT = `00-${TRACE_ID}-b7ad6b7169203331-01`;

let gateway;
before(async () => { gateway = await Gateway.start({ LOG_FORMAT: 'json', LOG_LEVEL: 'debug', BATCH_WINDOW_MS: '20' }); });
after(() => gateway.kill());

const lines = () => gateway.output.split('\n').filter(line => line.startsWith('{')).map(line => JSON.parse(line));

test('what a request does is found by its id, in the answer, in a problem and in the log', async () => {
  // Goal: a publisher names a request, and the operator finds it. Method: one that is taken, one that is refused, one
  // whose id would harm a log.
  const product = fresh();
  const taken = await post(gateway, price(product, 1), { headers: { 'x-request-id': 'order-4711', traceparent: TRACEPARENT } });
  assert.deepEqual([taken.status, taken.headers['x-request-id']], [202, 'order-4711']);
  const refused = await post(gateway, '{', { headers: { 'x-request-id': 'order-4712' } });
  assert.deepEqual([refused.status, refused.headers['x-request-id'], refused.json.requestId], [400, 'order-4712', 'order-4712']);
  const made = await post(gateway, '{', { headers: { 'x-request-id': 'two words' } });
  assert.match(made.json.requestId, /^[0-9a-f]{16}$/);
  assert.equal(made.headers['x-request-id'], made.json.requestId);

  const line = id => lines().find(({ request_id }) => request_id === id);
  await until(() => line(made.json.requestId), () => `a line of each request in\n${gateway.output}`);
  assert.deepEqual([line('order-4711').accepted, line('order-4711').trace_id], [1, TRACE_ID]);
  assert.deepEqual([line('order-4712').code, line('order-4712').trace_id], ['malformed_json', undefined]);
});

test('every line has the documented fields and no others', async t => {
  // Goal: what was built on the lines goes on working. Method: a session, a batch, refusals and an end, at debug; then each
  // line's names against the list.
  const product = fresh();
  const client = await connect(t, gateway);
  await client.join(product);
  const { cursor } = (await post(gateway, price(product, 1))).json;
  await client.nextBatch(product);
  await post(gateway, price('no id', 1));
  await post(gateway, price(product, 1), { headers: { 'x-api-key': 'wrong' } });
  await gateway.stop();
  const all = lines();
  assert.ok(all.length > 8, gateway.output);
  assert.ok(all.some(line => line.message === 'a batch was told' && line.cursor === cursor && line.told === 1), gateway.output);
  for (const line of all) {
    for (const name of ALWAYS) assert.equal(typeof line[name], 'string', `${name} of ${JSON.stringify(line)}`);
    const ours = line.target.split('::')[0] === 'shelfcast';
    for (const name of ours ? Object.keys(line) : []) assert.ok(DOCUMENTED.has(name), `${name} of ${JSON.stringify(line)} is not in docs/logs.md`);
  }
});
