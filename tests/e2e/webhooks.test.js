// Webhooks over real connections: the commands that sign, check and send them, and a gateway that takes them.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { connect } from './support/client.js';
import { run, start } from './support/command.js';
import { Gateway, freePort } from './support/gateway.js';
import { request } from './support/http.js';
import { assertBatch } from './support/shapes.js';
import { until, within } from './support/wait.js';

const SECRETS = {
  WC_WEBHOOK_SECRET: '4fQmZ0xXr8VtB2nLk7Wd6yHs',
  SHOPIFY_WEBHOOK_SECRET: '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',
  META_APP_SECRET: '614fc2afde15eee07a26b2fe3eaee9b9',
  META_VERIFY_TOKEN: 'b31f9d0c7e5a2648',
  STANDARD_WEBHOOK_SECRET: 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD',
};
const fixture = path => fileURLToPath(new URL(`../fixtures/webhooks/${path}`, import.meta.url));
const SHIRT = fixture('woocommerce/product-unicode.json');

let gateway;

before(async () => { gateway = await Gateway.start({ ...SECRETS, BATCH_WINDOW_MS: '50' }); });
after(() => gateway.stop());

describe('shelfcast fake', () => {
  for (const [platform, type] of [['woocommerce', 'product_update'], ['shopify', 'product_update'], ['meta', 'inventory_update']]) {
    test(`${platform}: what it sends reaches those who look at the product`, async t => {
      // Goal: the whole way, from a platform's request to a browser. Method: three deliveries, each accepted.
      const product = String(Math.floor(Math.random() * 1e9) + 1);
      const client = await connect(t, gateway);
      await client.join(product);
      const { code, output } = await run(t, ['fake', platform, '--product', product, '--count', '3', '--every-ms', '10', '--url', gateway.url], SECRETS);
      assert.equal(code, 0, output);
      assert.equal(output.match(/-> 200/g).length, platform === 'shopify' ? 3 : 4, output);   // The others are set up first.
      const batch = await client.nextBatch(product);
      assertBatch(batch, product);
      assert.equal(batch.events[0].type, type);
      assert.equal(batch.events[0].data.productId, product);
    });
  }

  test('sends again by the rule of its platform until it is taken', async t => {
    // Goal: a gateway that was away gets what came meanwhile. Method: Shopify's waits, a few hundred times faster; the gateway
    // starts after the first failure.
    const late = new Gateway(await freePort(), SECRETS);
    t.after(() => late.stop());
    const sending = start(t, ['fake', 'shopify', '--hurry', '400', '--url', late.url], SECRETS);
    await until(() => sending.output.includes('again in'), () => `a failure\n${sending.output}`);
    await late.start();
    assert.equal(await within(sending.ended, () => `the end of sending\n${sending.output}`), 0, sending.output);
    assert.match(sending.output, /products\/update 794 -> 200/);
  });

  test('of WooCommerce gives up after seven failures in a row and sends none of them again', async t => {
    // Goal: the trap that shops fall into. Method: a gateway that does not know the secret.
    const { code, output } = await run(t, ['fake', 'woocommerce', '--count', '20', '--every-ms', '1', '--url', gateway.url], { WC_WEBHOOK_SECRET: 'another-secret-of-a-shop' });
    assert.equal(code, 1, output);
    assert.equal(output.match(/product\.updated 794 -> 4/g).length, 7, output);
    assert.match(output, /switched off/);
  });

  test('sends to no other machine unless it is told to', async t => {
    const { code, output } = await run(t, ['fake', 'woocommerce', '--url', 'http://192.0.2.1:3003'], SECRETS);
    assert.equal(code, 64, output);
    assert.match(output, /--anywhere/);
  });
});

describe('shelfcast sign and verify', () => {
  const signature = (encoding, secret) => createHmac('sha256', secret).update(readFileSync(SHIRT)).digest(encoding);

  for (const [platform, line] of [
    ['woocommerce', `x-wc-webhook-signature: ${signature('base64', SECRETS.WC_WEBHOOK_SECRET)}`],
    ['shopify', `x-shopify-hmac-sha256: ${signature('base64', SECRETS.SHOPIFY_WEBHOOK_SECRET)}`],
    ['meta', `x-hub-signature-256: sha256=${signature('hex', SECRETS.META_APP_SECRET)}`],
    ['standard', 'webhook-id: msg_1'],
  ]) {
    test(`${platform}: what one signs the other finds good, and nothing else`, async t => {
      // Goal: both agree with another implementation of HMAC. Method: node's.
      const { code, output } = await run(t, ['sign', platform, '--body', SHIRT], SECRETS);
      assert.equal(code, 0, output);
      assert.ok(output.split('\n').includes(line), output);
      const headers = output.trim().split('\n').flatMap(header => ['-H', header]);
      assert.equal((await run(t, ['verify', platform, '--body', SHIRT, ...headers], SECRETS)).code, 0);
      const other = await run(t, ['verify', platform, '--body', fixture('woocommerce/product-deleted.json'), ...headers], SECRETS);
      assert.equal(other.code, 1, other.output);
      for (const secret of Object.values(SECRETS)) assert.ok(!other.output.includes(secret), other.output);
    });
  }

  test('a signed body is taken by the gateway', async t => {
    const { output } = await run(t, ['sign', 'woocommerce', '--body', SHIRT], SECRETS);
    const [name, value] = output.trim().split(': ');
    const headers = { [name]: value, 'x-wc-webhook-topic': 'product.updated', 'content-type': 'application/json' };
    const answer = await request(gateway, '/api/webhooks/product-update', { method: 'POST', headers, body: readFileSync(SHIRT) });
    assert.deepEqual([answer.status, answer.json], [200, { ok: true }]);
  });

  test('without a secret it says which one is missing', async t => {
    const { code, output } = await run(t, ['sign', 'shopify', '--body', SHIRT]);
    assert.equal(code, 64, output);
    assert.match(output, /SHOPIFY_WEBHOOK_SECRET/);
  });
});
