// Nothing that a client sends is lost or swapped: not its very first packet, not its joins and leaves.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Client, connect } from './support/client.js';
import { Gateway } from './support/gateway.js';
import { notify, price } from './support/notify.js';
import { fresh } from './support/shapes.js';

const TIMES = 1_000;
const AT_ONCE = 50;

let gateway;

before(async () => { gateway = await Gateway.start({ BATCH_WINDOW_MS: '20' }); });
after(() => gateway.stop());

for (const road of ['websocket', 'polling']) {
  test(`the first packet after connecting over ${road} is never lost, ${TIMES} times`, async () => {
    // Goal: a join sent in the same breath as the handshake takes effect. Method: emit join_product in the tick of io(),
    // so that it leaves right behind CONNECT; the acknowledgement and then a batch prove the join.
    for (let done = 0; done < TIMES; done += AT_ONCE) {
      const product = fresh();
      const clients = Array.from({ length: AT_ONCE }, () => new Client(gateway, { road }));
      try {
        const acks = await Promise.all(clients.map(client => client.join(product)));
        for (const ack of acks) assert.deepEqual(ack, { ok: true, joined: [product], refused: {}, cursor: ack.cursor });
        await notify(gateway, price(product, done));
        const batches = await Promise.all(clients.map(client => client.nextBatch(product)));
        for (const batch of batches) assert.equal(batch.count, 1);
      } finally {
        for (const client of clients) client.close();
      }
    }
  });
}

test(`joins and leaves keep their order, ${TIMES} times`, async t => {
  // Goal: membership is what the last of them says. Method: join and leave in turn without waiting, ending in or out as
  // the dice fall; then one event for each product: whoever ended in gets it, whoever ended out does not. A last
  // product that everybody joined shows that all has been sent.
  const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 32));
  t.diagnostic(`SEED=${seed} repeats this run`);
  const random = dice(seed);
  const roads = Array.from({ length: AT_ONCE }, (_, i) => (i % 2 ? 'polling' : 'websocket'));
  const clients = await Promise.all(roads.map(road => connect(t, gateway, { road })));
  const sentinel = fresh('sentinel');
  await Promise.all(clients.map(client => client.join(sentinel)));

  for (let round = 0; round < TIMES / AT_ONCE; round += 1) {
    const stays = clients.map(client => {
      const product = fresh();
      const moves = 2 + Math.floor(random() * 7);
      for (let move = 0; move < moves; move += 1) client.send(move % 2 ? 'leave_product' : 'join_product', product);
      return { client, product, isIn: moves % 2 === 1 };
    });
    await Promise.all(clients.map(client => client.leave(fresh('behind-all-others'))));
    await notify(gateway, ...stays.map(({ product }) => price(product, round)), price(sentinel, round));
    await Promise.all(stays.map(async ({ client, product, isIn }) => {
      await client.nextBatch(sentinel);
      if (isIn) assert.equal((await client.nextBatch(product)).count, 1);
    }));
    await Promise.all(clients.map(client => client.settle()));
    for (const { client, product, isIn } of stays) {
      assert.deepEqual(client.unread('batched_product_update'), [], `${product} ended ${isIn ? 'in' : 'out'} over ${client.road}, seed ${seed}`);
    }
    for (const { client, product, isIn } of stays) if (isIn) client.send('leave_product', product);
  }
});

/** Random numbers in [0, 1) that a seed repeats (mulberry32). */
function dice(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}
