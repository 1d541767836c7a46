// Keys of publishers: how they are changed without a pause, and that guessing them is slowed down.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Gateway } from './support/gateway.js';
import { post, price } from './support/notify.js';

const OLD = 'old-key-3f9a1c7be2d84f60a5c8e7d10b92';
const NEW = 'new-key-8b1e5d90c4f74a2fb3d6a9027ce1';

async function started(t, env) {
  const gateway = await Gateway.start(env);
  t.after(() => gateway.stop());
  return gateway;
}

const status = async (gateway, key, headers = {}) =>
  (await post(gateway, price('p', 1), { headers: { 'x-api-key': key, ...headers } })).status;

test('a key is changed without a pause', async t => {
  // Goal: rotation. Method: the three deployments of it, each asked with both keys.
  const deployments = { [OLD]: [202, 401], [`${OLD}, ${NEW}`]: [202, 202], [NEW]: [401, 202] };
  for (const [keys, expected] of Object.entries(deployments)) {
    const gateway = await started(t, { INTERNAL_API_KEY: keys, APP_ENV: 'production' });
    assert.deepEqual([await status(gateway, OLD), await status(gateway, NEW)], expected, keys);
  }
});

test('who guesses keys is slowed down, and nobody else', async t => {
  // Goal: counted by the client's address behind a trusted proxy, and a good key always passes. Method: guess until
  // 429 under one address, also with a forged beginning of the header; then ask under another.
  const gateway = await started(t, { INTERNAL_API_KEY: NEW, TRUSTED_PROXIES: '127.0.0.0/8' });
  const from = (key, address) => status(gateway, key, { 'x-forwarded-for': address });
  const tries = [];
  for (let i = 0; i < 12; i++) tries.push(await from(`guess-${i}`, `10.0.0.${i}, 203.0.113.9`));
  assert.equal(tries[0], 401);
  assert.equal(tries.at(-1), 429);
  assert.equal(await from('guess', '203.0.113.10'), 401);
  assert.equal(await from(NEW, '203.0.113.9'), 202);
});

test('an address that anybody may write is not believed', async t => {
  // Goal: no proxy declared, no escape. Method: another forged address with each guess.
  const gateway = await started(t, { INTERNAL_API_KEY: NEW });
  const tries = [];
  for (let i = 0; i < 12; i++) tries.push(await status(gateway, `guess-${i}`, { 'x-forwarded-for': `203.0.113.${i}` }));
  assert.equal(tries.at(-1), 429);
});
