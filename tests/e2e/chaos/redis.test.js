// The Redis helper: real servers that keep or lose their data, stop, fail over, and answer the small client.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { until } from '../support/wait.js';
import { ChaosProxy } from './proxy.js';
import { RedisServer } from './redis.js';

test('comes back after kill -9 on the same port, empty or with its append-only file', async t => {
  // Goal: both kinds of restart that scenarios need. Method: write, kill, start, read.
  for (const [persistence, expected] of [['none', null], ['aof', 'kept']]) {
    const redis = await startRedis(t, { persistence });
    await redis.command('SET', 'key', 'kept');
    await redis.kill9();
    await assert.rejects(redis.command('PING'));
    await redis.start();
    assert.equal(await redis.command('GET', 'key'), expected);
  }
});

test('answers of every shape are read', async t => {
  // Goal: the client understands what scenarios ask. Method: text, none, number, nested list, error, a long answer.
  const redis = await startRedis(t);
  const client = await redis.connect();
  t.after(() => client.close());
  assert.equal(await client.command('SET', 'text', 'é'.repeat(100_000)), 'OK');
  assert.equal(await client.command('GET', 'text'), 'é'.repeat(100_000));
  assert.equal(await client.command('GET', 'none'), null);
  assert.equal(await client.command('INCR', 'number'), 1);
  assert.equal(await client.command('XADD', 'log', '1-0', 'd', '{}'), '1-0');
  assert.deepEqual(await client.command('XRANGE', 'log', '-', '+'), [['1-0', ['d', '{}']]]);
  await assert.rejects(client.command('NONSENSE'), /unknown command/);
  const many = await Promise.all(Array.from({ length: 100 }, (_, i) => client.command('ECHO', i)));
  assert.deepEqual(many, Array.from({ length: 100 }, (_, i) => String(i)));
});

test('does after SIGCONT what it was asked while stopped', async t => {
  // Goal: the trap behind "unknown": who gave up waiting must not think that nothing happened. Method: ask, then go on.
  const redis = await startRedis(t);
  const client = await redis.connect();
  redis.stop();
  const answer = client.command('INCR', 'number');
  redis.resume();
  assert.equal(await answer, 1);
  client.close();
});

test('a replica behind a black hole misses what was acknowledged, and can be promoted', async t => {
  // Goal: a failover that loses data, as the scenario needs it. Method: writes into the hole, then promote.
  const primary = await startRedis(t);
  const link = await ChaosProxy.start(primary.address);
  t.after(() => link.close());
  const replica = await startRedis(t, { replicaOf: { host: '127.0.0.1', port: link.port } });
  await replica.synced();
  await primary.command('SET', 'key', 'before');
  await until(async () => await replica.command('GET', 'key') === 'before', 'the replica to have what was written');
  link.blackHole();
  await primary.command('SET', 'key', 'lost');
  await primary.kill9();
  await replica.promote();
  assert.equal(await replica.command('GET', 'key'), 'before');
  assert.equal(await replica.command('SET', 'key', 'after'), 'OK');

  // The dead one comes back as a replica of the other.
  link.heal();
  link.retarget(replica.address);
  await primary.start({ replicaOf: { host: '127.0.0.1', port: link.port } });
  await primary.synced();
  assert.equal(await primary.command('GET', 'key'), 'after');
});

async function startRedis(t, options) {
  const redis = await RedisServer.start(options);
  t.after(() => redis.remove());
  return redis;
}
