// A real browser on a real storefront page: another origin, native EventSource, the socket.io-client of a script tag.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { chromium } from 'playwright-core';

import { API_KEY, Gateway, freePort } from './support/gateway.js';
import { request } from './support/http.js';
import { notify, price } from './support/notify.js';
import { assertBatch, assertEmptyBatch, assertResync, fresh, position, prices } from './support/shapes.js';
import { openStream, streamPath } from './support/sse.js';
import { Mailbox } from './support/wait.js';

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const SOCKET_IO_SCRIPT = fileURLToPath(new URL('node_modules/socket.io-client/dist/socket.io.js', import.meta.url));
const PAGE_DEADLINE_MS = 20_000;

let browser;

before(async () => { browser = await chromium.launch({ executablePath: CHROMIUM, chromiumSandbox: false }); });
after(() => browser.close());

test('a native EventSource of another origin lives through a gateway restart', async t => {
  // Goal: CORS lets the storefront in, and a new log is told as in Node: an empty batch to a plain page, resync_required
  // to an announced one; then life goes on. Method: two streams in one page, a killed gateway on the same port.
  const gateway = await startFor(t, { BATCH_WINDOW_MS: '50' });
  const product = fresh();
  const page = await visit(t, await openShop(t, `
    for (const [stream, more] of [['plain', ''], ['announced', '&features=resync']]) {
      const source = new EventSource('${gateway.url}/api/events?products=${product}' + more);
      for (const name of ['open', 'batched_product_update', 'resync_required']) {
        source.addEventListener(name, event => report(stream + ' ' + name, event.data && JSON.parse(event.data)));
      }
    }`));
  await page.told('plain open');
  await page.told('announced open');
  await notify(gateway, price(product, 1));
  const before = await page.told('plain batched_product_update');
  assertBatch(before, product);
  assertBatch(await page.told('announced batched_product_update'), product);

  await gateway.kill();
  await gateway.start();

  const empty = await page.told('plain batched_product_update');
  assertEmptyBatch(empty, product);
  assert.notEqual(position(empty.cursor).epoch, position(before.cursor).epoch);
  const word = await page.told('announced resync_required');
  assertResync(word, word.productIds, ['log_reset']);
  await notify(gateway, price(product, 2));
  for (const stream of ['plain', 'announced']) {
    const batch = await page.told(`${stream} batched_product_update`);
    assertBatch(batch, product);
    assert.deepEqual(prices([batch]), [2]);
  }
});

test('five lines with socket.io-client are enough, and they end on a WebSocket', async t => {
  // Goal: the snippet of the README works as it stands, from another origin, polling first and upgraded. Method: put it
  // into a page; one batch before and one after the upgrade.
  const gateway = await startFor(t, { BATCH_WINDOW_MS: '50' });
  const product = fresh();
  const page = await visit(t, await openShop(t, `
    const socket = io('${gateway.url}');
    socket.on('connect', () => socket.emit('join_product', '${product}', ack => report('joined', ack)));
    socket.on('batched_product_update', batch => {
      report('batch', batch);
    });
    socket.io.once('open', () => socket.io.engine.once('upgrade', transport => report('upgraded', transport.name)));`));
  assert.deepEqual((await page.told('joined')).joined, [product]);
  await notify(gateway, price(product, 1));
  assertBatch(await page.told('batch'), product);
  assert.equal(await page.told('upgraded'), 'websocket');
  await notify(gateway, price(product, 2));
  assert.deepEqual(prices([await page.told('batch')]), [2]);
});

test('in production a page of an origin that is not allowed is refused on every road', async t => {
  // Goal: ALLOWED_ORIGINS is enforced for SSE, polling and WebSocket, and only keeps strangers out. Method: the same
  // page at two localhost ports of which one is allowed; beside it the headers for an allowed host elsewhere.
  const script = gatewayUrl => `
    const source = new EventSource('${gatewayUrl}/api/events?products=p');
    source.onopen = () => report('sse', 'let in');
    source.onerror = () => report('sse', source.readyState === EventSource.CLOSED ? 'refused' : 'lost');
    for (const road of ['polling', 'websocket']) {
      const socket = io('${gatewayUrl}', { transports: [road], forceNew: true, reconnection: false });
      socket.on('connect', () => report(road, 'let in'));
      socket.on('connect_error', () => report(road, 'refused'));
    }`;
  const port = await freePort();
  const friend = await openShop(t, script(`http://127.0.0.1:${port}`));
  const stranger = await openShop(t, script(`http://127.0.0.1:${port}`));
  const gateway = new Gateway(port, { APP_ENV: 'production', ALLOWED_ORIGINS: `http://shop.example,${friend}` });
  t.after(() => gateway.stop());
  await gateway.start();
  for (const [shop, expected] of [[friend, 'let in'], [stranger, 'refused']]) {
    const page = await visit(t, shop);
    for (const road of ['sse', 'polling', 'websocket']) assert.equal(await page.told(road), expected, `${road} from ${shop}`);
    await page.close();
  }

  const path = streamPath(['p']);
  const allowed = await openStream(t, gateway, path, { origin: 'http://shop.example' });
  assert.equal(allowed.status, 200);
  assert.equal(allowed.headers['access-control-allow-origin'], 'http://shop.example');
  for (const origin of ['http://evil.example', 'https://shop.example', 'http://shop.example.evil.example', 'null']) {
    const answer = await request(gateway, path, { headers: { origin } });
    assert.equal(answer.status, 403, origin);
    assert.equal(answer.headers['access-control-allow-origin'], undefined);
  }
});

test('the live page shows the batch of an event sent through its own form', async t => {
  // Goal: a newcomer sees an event go round. Method: as a person: name a product, paste the key, send, look.
  const gateway = await startFor(t);
  const product = fresh('shelf');
  const page = await visit(t, gateway.url);
  assert.ok(!(await page.content()).includes(API_KEY), 'the page knows the key');
  await page.getByLabel('Products', { exact: true }).fill(product);
  await page.getByLabel('Products', { exact: true }).press('Enter');
  await page.locator('#state', { hasText: /^\s*connected\b/i }).waitFor();
  await page.getByLabel('API key').fill(API_KEY);
  await page.getByLabel('Product', { exact: true }).fill(product);
  await page.getByLabel('Type', { exact: true }).selectOption('price_update');
  await page.getByRole('button', { name: 'Send event' }).click();
  await page.locator('#batches li', { hasText: product }).filter({ hasText: 'price_update' }).waitFor();
  assert.ok(!page.url().includes(API_KEY), 'the key is in the address');
  assert.deepEqual(page.complaints, []);
});

test('in production there is no live page', async t => {
  // Goal: nothing of the workshop stands in the street. Method: GET /.
  const gateway = await startFor(t, { APP_ENV: 'production', ALLOWED_ORIGINS: 'http://shop.example' });
  const answer = await request(gateway, '/');
  assert.equal(answer.status, 404);
  assert.equal(answer.json?.code, 'not_found', answer.text);
});

async function startFor(t, env) {
  const gateway = await Gateway.start(env);
  t.after(() => gateway.stop());
  return gateway;
}

/** A storefront on a localhost port of its own, with `script` behind the socket.io-client; gives its origin. */
async function openShop(t, script) {
  const html = `<!doctype html><title>shop</title><link rel="icon" href="data:,"><script src="/socket.io.js"></script><script>${script}</script>`;
  const server = http.createServer(async (incoming, outgoing) => {
    if (incoming.url === '/socket.io.js') return outgoing.setHeader('content-type', 'text/javascript').end(await readFile(SOCKET_IO_SCRIPT));
    return outgoing.setHeader('content-type', 'text/html; charset=utf-8').end(html);
  });
  const port = await freePort();
  await new Promise(resolve => server.listen(port, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://localhost:${port}`;
}

/** A page in a browser profile of its own. `told(what)` is the next thing its script reported under that name. */
async function visit(t, url) {
  const context = await browser.newContext();
  t.after(() => context.close());
  const page = await context.newPage();
  page.setDefaultTimeout(PAGE_DEADLINE_MS);
  page.complaints = [];
  page.on('pageerror', error => page.complaints.push(String(error)));
  page.on('console', message => { if (message.type() === 'error') page.complaints.push(message.text()); });
  const reports = new Mailbox();
  await page.exposeFunction('report', (what, value) => reports.push({ what, value }));
  page.told = async what => (await reports.next(`"${what}" from the page`, report => report.what === what, PAGE_DEADLINE_MS)).value;
  await page.goto(url);
  return page;
}
