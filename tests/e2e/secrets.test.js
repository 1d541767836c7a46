// What the gateway says about its clients: nothing. A noisy conversation at the most that can be logged, then the log is
// searched (S10), and each line of it read as one (S23).
import assert from 'node:assert/strict';
import { createHmac, randomBytes } from 'node:crypto';
import http2 from 'node:http2';
import net from 'node:net';
import { test } from 'node:test';

import { Client, ROADS, connect } from './support/client.js';
import { Gateway } from './support/gateway.js';
import { request } from './support/http.js';
import { hs256, inSecs } from './support/jwt.js';
import { post, price } from './support/notify.js';
import { openStream, streamPath } from './support/sse.js';
import { pause, within } from './support/wait.js';

const API_KEY = 'secret-api-key-71c2d8e05f9b4a36a0e1';
const WEBHOOK_SECRETS = { WC_WEBHOOK_SECRET: 'secret-of-a-shop-5e1d8c3b', SHOPIFY_WEBHOOK_SECRET: 'shpss_secret-of-a-store-72b9', META_APP_SECRET: 'secret-of-an-app-90fd1c7e4a', META_VERIFY_TOKEN: 'secret-token-84ce0b' };
const JWT_SECRET = 'secret-jwt-key-3e6b9d1f48a2c750b8d4';
const EVERYTHING = 'trace,shelfcast=trace,socketioxide=trace,engineioxide=trace,hyper=trace,h2=trace,tokio_tungstenite=trace';
const LINE = /^\d{4}-\d\d-\d\dT[\d:.]+Z +(ERROR|WARN|INFO|DEBUG|TRACE) [^\x00-\x1f\x7f-\x9f\u2028\u2029]+$/;
const HOSTILE = '\r\n2026-01-01T00:00:00.000000Z ERROR forged\x1b[2J\u2028\u0085';

/** Bytes as they are, and whatever comes back within a moment. */
async function raw(gateway, bytes) {
  const socket = net.connect(gateway.port, '127.0.0.1');
  socket.on('error', () => {}).on('data', () => {});
  await within(new Promise(resolve => socket.once('connect', resolve)), 'a connection');
  socket.write(bytes);
  await Promise.race([new Promise(resolve => socket.once('close', resolve)), pause(300)]);
  socket.destroy();
}

/** One request over HTTP/2, whatever becomes of it. */
async function overHttp2(gateway, headers) {
  const session = http2.connect(gateway.url);
  session.on('error', () => {});
  const stream = session.request(headers);
  await within(new Promise(resolve => stream.on('error', resolve).on('response', resolve).resume()), 'an answer over HTTP/2');
  session.destroy();
}

/** Talks to the gateway in every way, rightly and wrongly. Gives back everything that must stay secret. */
async function converse(t, gateway) {
  const marks = { body: 'body-7f3a91c4', query: 'query-5d20be68', product: 'product-b83e16fa', cursor: 'zzzzzzzz.90210', claim: 'claim-2c94d7e1' };
  const tokens = { good: hs256(JWT_SECRET), late: hs256(JWT_SECRET, { exp: inSecs(-9) }), bad: hs256('another'), senseless: 'token-91ab4c2e' };
  const sids = [];

  // Publishers.
  const event = { ...price(marks.product, 1), data: { note: marks.body + HOSTILE } };
  for (const key of [API_KEY, 'wrong-key-6b1d0c93']) {
    await post(gateway, event, { headers: { 'x-api-key': key, 'idempotency-key': marks.claim } });
    await post(gateway, `{"productId": ${marks.body}`, { headers: { 'x-api-key': key } });
    await post(gateway, { ...event, productId: marks.body + HOSTILE }, { headers: { 'x-api-key': key } });
    await post(gateway, event, { path: `/api/notify?api_key=${key}`, headers: { 'x-api-key': null } });
  }

  // Platforms: good and bad signatures over bodies of every kind, and what only gets into the log when something is wrong.
  const delivery = JSON.stringify({ id: 794, name: marks.body + HOSTILE, action: marks.query, entry: [{ changes: [{ value: marks.body }] }] });
  for (const body of [delivery, `{"id": ${marks.body}`, `{"code":"${marks.body}"}`, `{"inventory_item_id":7,"x":"${marks.body}"}`]) {
    const sign = (secret, encoding) => createHmac('sha256', secret).update(body).digest(encoding);
    for (const [path, secret, headers] of [
      ['woocommerce', WEBHOOK_SECRETS.WC_WEBHOOK_SECRET, signature => ({ 'x-wc-webhook-topic': 'product.updated', 'x-wc-webhook-signature': signature('base64') })],
      ['shopify', WEBHOOK_SECRETS.SHOPIFY_WEBHOOK_SECRET, signature => ({ 'x-shopify-topic': 'app/uninstalled', 'x-shopify-webhook-id': marks.claim, 'x-shopify-hmac-sha256': signature('base64') })],
      ['shopify', WEBHOOK_SECRETS.SHOPIFY_WEBHOOK_SECRET, signature => ({ 'x-shopify-topic': 'inventory_levels/update', 'x-shopify-webhook-id': marks.claim, 'x-shopify-hmac-sha256': signature('base64') })],
      ['whatsapp', WEBHOOK_SECRETS.META_APP_SECRET, signature => ({ 'x-hub-signature-256': `sha256=${signature('hex')}` })],
    ]) {
      for (const key of [secret, 'another']) {
        await request(gateway, `/api/webhooks/${path}?q=${marks.query}`, { method: 'POST', headers: headers(encoding => sign(key, encoding)), body });
      }
    }
  }
  for (const token of [WEBHOOK_SECRETS.META_VERIFY_TOKEN, marks.query]) {
    await request(gateway, `/api/webhooks/facebook?hub.mode=subscribe&hub.verify_token=${token}&hub.challenge=${marks.query}`);
  }

  // Streams.
  for (const token of Object.values(tokens)) {
    await request(gateway, `/api/events?token=${token}&q=${marks.query}`);
    await request(gateway, '/api/events', { headers: { authorization: `Bearer ${token}` } });
  }
  await openStream(t, gateway, streamPath([marks.product], `&token=${tokens.good}&lastEventId=${marks.cursor}`));
  await openStream(t, gateway, streamPath([marks.product], `&q=${encodeURIComponent(HOSTILE)}`), { 'last-event-id': marks.cursor });

  // Sockets.
  for (const road of Object.keys(ROADS)) {
    const client = await connect(t, gateway, { road, auth: { token: tokens.good } });
    sids.push(client.socket.id, client.socket.io.engine.id);
    await client.join([marks.product, HOSTILE, marks.body + '/']);
    await client.sync(marks.product, marks.cursor);
    await client.sync(marks.product, HOSTILE);
    client.send(`event-${marks.query}`, marks.body + HOSTILE);
    await client.settle();
    client.send(marks.query + HOSTILE, marks.body);   // No name of an event has escapes; it ends the connection.
    await within(client.disconnected, 'the end of a connection');
    const tooLong = await connect(t, gateway, { road });
    tooLong.send('join_product', marks.body.repeat(4_000));
    await within(tooLong.disconnected, 'the end of a connection');
    for (const token of [tokens.late, tokens.bad, tokens.senseless, HOSTILE]) {
      const refused = new Client(gateway, { road, auth: { token } });
      await refused.refused;
      sids.push(refused.socket.io.engine?.id);
      refused.close();
    }
  }

  // The same over HTTP/2, whose library tells every frame to whoever listens.
  await overHttp2(gateway, { ':path': `/api/notify?${marks.query}`, ':method': 'POST', 'x-api-key': API_KEY });
  await overHttp2(gateway, { ':path': streamPath([marks.product], `&token=${tokens.good}`), authorization: `Bearer ${tokens.late}` });
  await overHttp2(gateway, { ':path': '/health', 'x-api-key': API_KEY, connection: 'close-' + marks.query, 'proxy-connection': marks.query }).catch(() => {});

  // Bytes that are no protocol, with secrets in them.
  const head = `Host: x\r\nX-API-Key: ${API_KEY}\r\nCookie: ${marks.query}\r\n`;
  await raw(gateway, `GET /socket.io/?EIO=4&transport=polling&sid=${marks.query} HTTP/1.1\r\n${head}\r\n`);
  await raw(gateway, `POST /socket.io/?EIO=4&transport=polling&sid=${sids[0]} HTTP/1.1\r\n${head}Content-Length: 14\r\n\r\n${marks.body}\x1e`);
  await raw(gateway, `GET /${marks.query} HTTP/1.1\r\n${head}X: \x01${API_KEY}\r\n\r\n`);
  await raw(gateway, `GET /?${marks.query}\x1b[2J HTTP/9.9\r\n${head}\r\n`);
  await raw(gateway, `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${API_KEY}${marks.body}`);
  const upgrade = `GET /socket.io/?EIO=4&transport=websocket&q=${marks.query} HTTP/1.1\r\n${head}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`;
  await raw(gateway, Buffer.concat([Buffer.from(upgrade), Buffer.from([0x81, 0x0d]), Buffer.from(marks.body)]));   // Not masked.

  const parts = Object.values(tokens).flatMap(token => token.split('.'));
  const signatures = [createHmac('sha256', JWT_SECRET).update('x').digest('hex')];
  return [API_KEY, JWT_SECRET, ...Object.values(WEBHOOK_SECRETS), 'wrong-key-6b1d0c93', ...Object.values(marks), ...parts, ...signatures, ...sids.filter(Boolean)];
}

for (const format of ['text', 'json']) {
  test(`the ${format} log of a noisy conversation holds no secret and no forged line`, async t => {
    // Goal: at no LOG_LEVEL does a line hold what a client sent. Method: everything at trace, libraries by name; every
    // key, token and part of one, session id, query and body is looked for.
    const gateway = await Gateway.start({ LOG_LEVEL: EVERYTHING, LOG_FORMAT: format, INTERNAL_API_KEY: API_KEY, JWT_SECRET, ...WEBHOOK_SECRETS, RUST_BACKTRACE: '0' });
    t.after(() => gateway.stop());
    const secrets = await converse(t, gateway);
    assert.equal((await request(gateway, '/health/live')).status, 200);
    await gateway.stop();
    const lines = gateway.output.split('\n').filter(Boolean);
    assert.doesNotMatch(gateway.output, /\b(h2|hyper|socketioxide|engineioxide|tungstenite|fred|rustls)::/, 'a library was heard');
    assert.ok(lines.some(line => line.includes('listening')), 'the log was not caught');
    assert.ok(gateway.output.length < 60_000, 'more was said than is kept');
    assert.ok(secrets.length > 20);
    for (const secret of secrets) assert.ok(!gateway.output.includes(secret), `the log holds ${secret}:\n${gateway.output}`);
    assert.ok(!gateway.output.includes('forged'), gateway.output);
    for (const line of lines) {
      if (format === 'json') assert.ok(JSON.parse(line).level, line);
      else assert.match(line, LINE);
    }
  });
}
