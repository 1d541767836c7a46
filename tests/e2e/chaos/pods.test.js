// Pods, shoppers and publishers against one gateway without Redis: they start, find each other, and leave a history that
// can be judged. What they are for needs Redis, and is in the scenarios.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';

import { countPlainly } from './check.js';
import { readHistory } from './history.js';
import { World } from './world.js';

const OPTIONS = { times: 1, clients: 40, rate: 200, products: 20, distribution: 'zipf', announced: 0.5, seed: 1 };

test('shoppers on every transport get what is published, through a kill and a drain', async t => {
  // Goal: the harness itself neither loses nor invents. Method: all transports, plain and announced, a pod that ends in
  // both ways, then a look at the history.
  const world = await newWorld(t);
  await world.startPods(1, () => ({ BATCH_WINDOW_MS: '20' }));
  const [pod] = world.pods.all;
  await world.startShoppers();
  world.startPublishing();
  for (const end of [() => world.pods.kill9(pod), () => world.pods.drain(pod)]) {
    await world.pause(500);
    await end();
    await world.pods.start(pod);
    await world.shoppers.caughtUp();
  }
  await world.settle();

  const history = [...readHistory(world.historyPath)];
  assert.deepEqual(countPlainly(history), []);
  const opened = history.filter(({ op }) => op === 'open');
  for (const transport of ['websocket', 'polling', 'upgrade', 'sse']) {
    for (const announced of [true, false]) {
      assert.ok(opened.some(open => open.transport === transport && open.announced === announced), `${transport}, announced ${announced}`);
    }
  }
  assert.equal(new Set(opened.map(({ conn }) => conn)).size, opened.length, 'every connection has its own name');
  for (const op of ['publish', 'accepted', 'close', 'join', 'joined', 'batch', 'resync', 'position']) {
    assert.ok(history.some(operation => operation.op === op), `no ${op} in the history`);
  }
  assert.ok(history.every(({ t: at }, index) => index === 0 || history[index - 1].t <= at), 'in order of time');
});

test('a publisher retries with its key until there is an outcome', async t => {
  // Goal: lost answers make neither losses nor doubles. Method: every first answer is lost on the way.
  const world = await newWorld(t);
  await world.startPods(1, () => ({}));
  const door = await world.startProxy({ port: world.pods.all[0].port });
  const publisher = world.newPublisher({ urls: () => [`http://127.0.0.1:${door.port}`] });
  for (let i = 0; i < 5; i++) {
    door.dropNextReply();
    assert.equal(await publisher.publishCopies(2, 1), 'accepted');
  }
  const metrics = await world.pods.all[0].metrics();
  assert.equal(metrics.get('shelfcast_events_appended_total'), 10);
  assert.deepEqual(publisher.tries.map(({ status }) => status), Array(5).fill([0, 202]).flat());
});

test('a publisher that never gets an answer says that it does not know', async t => {
  // Goal: no outcome is guessed. Method: nobody listens.
  const world = await newWorld(t);
  const nobody = await world.startProxy({ port: 1 });
  await nobody.refuse();
  const publisher = world.newPublisher({ urls: () => [`http://127.0.0.1:${nobody.port}`], giveUpAfterMs: 300 });
  assert.equal(await publisher.publishCopies(1, 1), 'unknown');
});

async function newWorld(t) {
  const directory = mkdtempSync(path.join(tmpdir(), 'world-'));
  const world = new World(directory, OPTIONS);
  t.after(async () => {
    await world.close();
    rmSync(directory, { recursive: true });
  });
  return world;
}
