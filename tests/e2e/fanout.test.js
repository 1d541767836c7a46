// One product, many viewers: everybody gets everything, once.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Client, connect } from './support/client.js';
import { Gateway } from './support/gateway.js';
import { request } from './support/http.js';
import { notify, price } from './support/notify.js';
import { assertBatch, prices } from './support/shapes.js';
import { until } from './support/wait.js';

const SOCKETS = 2_000;
const EVENTS = 100;
const WAVE = 100;
const PATIENCE_MS = 60_000;

let gateway;

before(async () => { gateway = await Gateway.start(); });
after(() => gateway.stop());

test(`${SOCKETS} viewers of one product get ${EVENTS} events in one batch each, none lost, none twice`, async t => {
  // Goal: the fan-out is complete and exact, and the gateway counts right. Method: connect in waves, all join, publish
  // 100 events in one request; then one more event, whose batch must be the very next thing everybody gets.
  const product = 'everybodys-darling';
  const clients = [];
  while (clients.length < SOCKETS) {
    const wave = await Promise.all(Array.from({ length: WAVE }, () => connect(t, gateway)));
    const acks = await Promise.all(wave.map(client => client.join(product)));
    for (const ack of acks) assert.deepEqual(ack.joined, [product]);
    clients.push(...wave);
  }
  const { connections, rooms } = await gateway.health();
  assert.equal(connections, SOCKETS);
  assert.equal(rooms.totalRooms, 1);
  assert.equal(rooms.totalSubscribers, SOCKETS);

  const expected = Array.from({ length: EVENTS }, (_, i) => i);
  const { cursor } = await notify(gateway, ...expected.map(i => price(product, i)));
  const firsts = await Promise.all(clients.map(client => client.nextBatch(product, PATIENCE_MS)));
  for (const batch of firsts) {
    assertBatch(batch, product);
    assert.equal(batch.count, EVENTS);
    assert.equal(batch.cursor, cursor);
    assert.deepEqual(prices([batch]), expected);
  }

  await notify(gateway, price(product, EVENTS));
  const seconds = await Promise.all(clients.map(client => client.nextBatch(product, PATIENCE_MS)));
  for (const batch of seconds) {
    assert.deepEqual(prices([batch]), [EVENTS]);
    assert.equal(batch.previousCursor, cursor);
  }
  for (const client of clients) assert.deepEqual(client.unread('batched_product_update'), []);
  assert.equal(await sentDirectly(gateway), 2 * SOCKETS, 'each by the short way');

  for (const client of clients) client.close();
  await until(async () => {
    const now = await gateway.health();
    return now.connections === 0 && now.rooms.totalRooms === 0 && now.rooms.totalSubscribers === 0;
  }, 'a gateway that has forgotten everybody who left', PATIENCE_MS);
});

test('a session takes the short way once its upgrade is complete, and not while it polls', async t => {
  // Goal: order survives the change of ways, and upgraded sessions cost no more than others. Method: a batch to a client
  // that polls; then clients that begin by polling get two batches while they upgrade and two after.
  const gateway = await Gateway.start();
  after(() => gateway.stop());
  const polls = await connect(t, gateway, { road: 'polling' });
  await polls.join('polled');
  await notify(gateway, price('polled', 1));
  assert.deepEqual(prices([await polls.nextBatch('polled')]), [1]);
  assert.equal(await sentDirectly(gateway), 0);

  const product = 'upgraded';
  const early = Array.from({ length: 20 }, () => new Client(gateway, { road: 'polling then upgrade' }));
  t.after(() => early.forEach(client => client.close()));
  await Promise.all(early.map(client => client.join(product)));
  for (const value of [1, 2]) {
    await notify(gateway, price(product, value));
    for (const client of early) assert.deepEqual(prices([await client.nextBatch(product)]), [value]);
  }
  await Promise.all(early.map(client => client.ready()));
  const before = await sentDirectly(gateway);
  for (const value of [3, 4]) {
    await notify(gateway, price(product, value));
    for (const client of early) assert.deepEqual(prices([await client.nextBatch(product)]), [value]);
  }
  assert.equal(await sentDirectly(gateway), before + 2 * early.length);
});

async function sentDirectly(gateway) {
  const { text } = await request(gateway, '/metrics');
  return Number(/^shelfcast_deliveries_direct_total (\d+)$/m.exec(text)[1]);
}
