// The command line: the same binary as publisher, watcher, probe and checker.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, describe, test } from 'node:test';

import { connect } from './support/client.js';
import { run, start } from './support/command.js';
import { API_KEY, Gateway, freePort } from './support/gateway.js';
import { notify, price } from './support/notify.js';
import { assertBatch, fresh } from './support/shapes.js';
import { until } from './support/wait.js';

const BAD_CONFIG = 64;

let gateway;

before(async () => { gateway = await Gateway.start({ BATCH_WINDOW_MS: '50' }); });
after(() => gateway.stop());

describe('shelfcast notify', () => {
  for (const [how, more, env] of [
    ['--url', () => ['--url', gateway.url], () => ({})],
    ['PORT', () => [], () => ({ PORT: String(gateway.port) })],
  ]) {
    test(`sends one event to the gateway named by ${how}`, async t => {
      // Goal: it arrives, data untouched, and exit code 0 says so. Method: a client that joined the product.
      const product = fresh();
      const client = await connect(t, gateway);
      await client.join(product);
      const { code, output } = await run(t, ['notify', product, '--type', 'price_update', '--data', '{"newPrice": 14900}', ...more()], env());
      assert.equal(code, 0, output);
      const batch = await client.nextBatch(product);
      assertBatch(batch, product);
      assert.deepEqual(batch.events[0].data, { newPrice: 14900 });
      assert.equal(batch.events[0].type, 'price_update');
    });
  }

  for (const [what, args, env, named] of [
    ['the key is wrong', ['--type', 'price_update', '--data', '{}'], { INTERNAL_API_KEY: 'wrong-key-that-is-long-enough-0001' }, /unauthorized/],
    ['the type is unknown', ['--type', 'colour_update', '--data', '{}'], {}, /colour_update|price_update|type/],
    ['the data is no JSON', ['--type', 'price_update', '--data', '{price}'], {}, /data|JSON/i],
  ]) {
    test(`fails and says why when ${what}`, async t => {
      // Goal: a script notices. Method: one bad thing; exit code and words. Keys are never printed.
      const { code, output } = await run(t, ['notify', fresh(), ...args, '--url', gateway.url], env);
      assert.notEqual(code, 0, output);
      assert.match(output, named);
      for (const key of [API_KEY, 'wrong-key-that-is-long-enough-0001']) assert.ok(!output.includes(key), output);
    });
  }

  test('fails when nothing listens', async t => {
    // Goal: no false success. Method: a port where nobody is.
    const { code, output } = await run(t, ['notify', fresh(), '--type', 'price_update', '--data', '{}', '--url', `http://127.0.0.1:${await freePort()}`]);
    assert.notEqual(code, 0, output);
  });
});

test('shelfcast watch prints the batches of its products as they come', async t => {
  // Goal: a terminal sees what a browser sees. Method: watch two, wait until the gateway knows the watcher, publish for
  // both, read what was printed.
  const products = [fresh('watched'), fresh('watched')];
  const before = (await gateway.health()).rooms.totalSubscribers;
  const watching = start(t, ['watch', ...products, '--url', gateway.url]);
  await until(async () => (await gateway.health()).rooms.totalSubscribers > before, () => `the watcher at the gateway\n${watching.output}`);
  const quietSoFar = watching.output.length;
  await notify(gateway, price(products[0], 271_828), { productId: products[1], type: 'inventory_update', data: { currentStock: 314_159 } });
  for (const expected of [products[0], 'price_update', products[1], 'inventory_update']) {
    await until(() => watching.output.slice(quietSoFar).includes(expected), () => `${expected} in what watch printed:\n${watching.output}`);
  }
});

test('shelfcast watch comes back by itself, also from a proxy that has nobody behind it for a while', async t => {
  // Goal: a deploy ends no watch. Method: the gateway killed; on its port one that answers 503, then a gateway again.
  const own = await Gateway.start({ BATCH_WINDOW_MS: '50' });
  t.after(() => own.stop());
  const product = fresh('watched');
  const watching = start(t, ['watch', product, '--url', own.url]);
  const isWatched = async () => (await own.health()).rooms.totalSubscribers > 0;
  const isShown = figure => until(() => watching.output.includes(figure), () => `${figure} in what watch printed:\n${watching.output}`);
  await until(isWatched, () => `the watcher at the gateway\n${watching.output}`);
  await notify(own, price(product, 314_159));
  await isShown('314159');

  await own.kill();
  const proxy = createServer((_, answer) => answer.writeHead(503).end('nobody is there')).listen(own.port, '127.0.0.1');
  t.after(() => proxy.close());
  await until(() => /503 .*coming back in \d+ s/.test(watching.output), () => `a word that it was sent away\n${watching.output}`);
  await new Promise(closed => { proxy.close(closed); proxy.closeAllConnections(); });

  await own.start();
  await until(isWatched, () => `the watcher at the next gateway\n${watching.output}`);
  await notify(own, price(product, 271_828));
  await isShown('271828');
});

describe('shelfcast healthcheck', () => {
  test('succeeds while the gateway is ready', async t => {
    // Goal: a container stays. Method: by PORT, as in a container.
    const { code, output } = await run(t, ['healthcheck'], { PORT: String(gateway.port) });
    assert.equal(code, 0, output);
  });

  test('fails when nothing listens', async t => {
    // Goal: a container is replaced. Method: a port where nobody is.
    const { code, output } = await run(t, ['healthcheck'], { PORT: String(await freePort()) });
    assert.notEqual(code, 0, output);
  });
});

describe('shelfcast check', () => {
  const SECRET = 'hunter2-too-short';
  const BAD = {
    APP_ENV: 'production',
    INTERNAL_API_KEY: SECRET,
    PORT: 'three-thousand',
    BATCH_WINDOW_MS: 'soon',
    BATCH_MAX_EVENTS: '-1',
    BATCH_EDGE: 'sideways',
    LOG_FORMAT: 'xml',
    LOG_RETENTION_SECS: 'ten minutes',
  };
  const BAD_NAMES = Object.keys(BAD).filter(name => name !== 'APP_ENV');

  test('accepts a good configuration', async t => {
    // Goal: exit code 0, and nothing is served. Method: the configuration that these tests run with, in production.
    const { code, output } = await run(t, ['check'], { APP_ENV: 'production', PORT: String(await freePort()), ALLOWED_ORIGINS: 'https://shop.example' });
    assert.equal(code, 0, output);
    assert.ok(!output.includes(API_KEY), output);
    assert.doesNotMatch(output, /FRONTEND_URL/);
  });

  test('has a doubt about production without the address of the shop', async t => {
    // Goal: pages that will be refused are known before a deploy. Method: neither of the two settings.
    const { code, output } = await run(t, ['check'], { APP_ENV: 'production' });
    assert.equal(code, 0, output);
    assert.match(output, /FRONTEND_URL/);
  });

  for (const [command, args] of [['check', ['check']], ['serve', ['serve']], ['the default command', []]]) {
    test(`${command} names every bad value at once and prints no secret`, async t => {
      // Goal: one look, one fix, exit code 64. Method: everything wrong together.
      const { code, output } = await run(t, args, BAD);
      assert.equal(code, BAD_CONFIG, output);
      for (const name of BAD_NAMES) assert.match(output, new RegExp(`\\b${name}\\b`), `${name} is not named`);
      assert.ok(!output.includes(SECRET), output);
    });
  }

  test('refuses production without a key', async t => {
    // Goal: no gateway stands open by mistake. Method: no key at all.
    const { code, output } = await run(t, ['check'], { APP_ENV: 'production', INTERNAL_API_KEY: undefined });
    assert.equal(code, BAD_CONFIG, output);
    assert.match(output, /\bINTERNAL_API_KEY\b/);
  });
});

test('shelfcast --help is the reference', async t => {
  // Goal: every command and every setting is there, by its name or as its flag, with its default. Method: look for each.
  const { code, output } = await run(t, ['--help']);
  assert.equal(code, 0, output);
  const commands = ['serve', 'check', 'notify', 'watch', 'trace', 'healthcheck', 'sign', 'verify', 'fake'];
  const settings = {
    PORT: '3003', HOST: '0.0.0.0', APP_ENV: 'development', FRONTEND_URL: 'http://localhost:3009', ALLOWED_ORIGINS: '', BATCH_WINDOW_MS: '300',
    BATCH_MAX_EVENTS: '100', BATCH_MAX_BYTES: '', BATCH_EDGE: 'trailing', INTERNAL_API_KEY: '', LOG_RETENTION_SECS: '600',
    LOG_MAX_EVENTS: '1000000', LOG_MAX_BYTES: '', LOG_LEVEL: 'info', LOG_FORMAT: 'text', IDEMPOTENCY_TTL_SECS: '86400',
  };
  for (const command of commands) assert.match(output, new RegExp(`\\b${command}\\b`), `${command} is not there`);
  for (const [name, byDefault] of Object.entries(settings)) {
    const flag = `--${name.toLowerCase().replaceAll('_', '-')}`;
    const [, entry] = output.split(new RegExp(`\\n\\s*(?:${name}|${flag})\\s`));
    assert.ok(entry !== undefined, `${name} is not there`);
    const [description] = entry.split(/\n\s*(?:--|[A-Z_]{4,}\s)/);
    assert.ok(description.includes(byDefault), `the default of ${name} is not there`);
  }
});
