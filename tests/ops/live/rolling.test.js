// The runbook's rolling deploy, step by step, on three gateways behind the nginx of docs/nginx.md: nobody misses anything, and
// no post is refused. With thousands of clients it is `npm run chaos -- rolling` in tests/e2e.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { RedisServer } from '../../e2e/chaos/redis.js';
import { Client } from '../../e2e/support/client.js';
import { Gateway } from '../../e2e/support/gateway.js';
import { request } from '../../e2e/support/http.js';
import { post, price } from '../../e2e/support/notify.js';
import { watch } from '../../e2e/support/sse.js';
import { pause, until } from '../../e2e/support/wait.js';
import { known } from '../support/metrics.js';
import { boxesOf, Nginx, withGateways } from '../support/nginx.js';

const OF_EACH_ROAD = 10;
const DRAIN = { DRAIN_DELAY_MS: '1000', DRAIN_SPREAD_MS: '2000' };
/** What starts within this lets who knocks wait (`app/starting.rs`). */
const QUICK_START_MS = 800;

/** What nginx keeps an idle connection for, in proportion to that delay. */
function shortened(text) {
  if (!text.includes('keepalive_timeout 4s;')) throw new Error('idle connections are expected to be kept for 4 s');
  return text.replaceAll('keepalive_timeout 4s;', 'keepalive_timeout 800ms;');
}
const PUBLISH_EVERY_MS = 50;

/** A shopper that comes back by itself, and what it saw last of the product. */
function socketShopper(t, nginx, road) {
  const client = new Client(nginx, { road, reconnection: true, reconnectionDelay: 100, reconnectionDelayMax: 500, withCredentials: true, features: ['resync'] });
  t.after(() => client.socket.close());
  const shopper = { last: -1, losses: 0, cursor: null };
  const see = batch => {
    shopper.last = Math.max(shopper.last, ...batch.events.map(({ data }) => data.newPrice));
    shopper.cursor = batch.cursor;
  };
  client.socket.on('batched_product_update', see);
  client.socket.on('connect', () => client.socket.emit('join_products', { p1: shopper.cursor }));
  client.socket.on('disconnect', () => { shopper.losses += 1; });
  return shopper;
}

function streamShopper(t, nginx) {
  const shopper = { last: -1, losses: 0 };
  const source = watch(t, `${nginx.url}/api/events?products=p1`);
  source.source.addEventListener('error', () => { shopper.losses += 1; });
  source.source.addEventListener('batched_product_update', ({ data }) => { shopper.last = Math.max(shopper.last, ...JSON.parse(data).events.map(event => event.data.newPrice)); });
  return shopper;
}

/** Publishes until it is told to stop; an event that was not accepted is sent again, with the same key, as the README asks. */
function publisher(nginx) {
  const said = { accepted: 0, codes: [] };
  let isOver = false;
  const going = (async () => {
    for (let figure = 0; !isOver; figure++) {
      for (;;) {
        const answer = await post(nginx, price('p1', figure), { headers: { 'idempotency-key': `rolling-${figure}` } }).catch(() => ({ status: 0 }));
        if (answer.status === 202) break;
        said.codes.push(answer.json?.code ?? answer.status);
        await pause(100);
      }
      said.accepted = figure + 1;
      await pause(PUBLISH_EVERY_MS);
    }
  })();
  return { said, stop: () => { isOver = true; return going; } };
}

/** One gateway's turn, as docs/runbook.md numbers the steps. */
async function roll(gateway) {
  const began = performance.now();
  await gateway.stop();    // 1, 2: SIGTERM, and the end with exit code 0.
  const ended = performance.now();
  await gateway.start();   // 3, 4: the new one, until it is ready.
  await until(async () => {   // 5: it follows the log.
    const there = (await request(gateway, '/metrics')).text;
    return /^shelfcast_log_behind_events 0$/m.test(there) && known(there).size > 0;
  }, 'the new gateway to follow the log');
  return { endMs: Math.round(ended - began), upMs: Math.round(performance.now() - ended) };
}

test('a rolling deploy by the runbook: every event accepted, everybody sees the last one', async t => {
  const redis = await RedisServer.start();
  t.after(() => redis.kill9());
  const gateways = await Promise.all([1, 2, 3].map(() => Gateway.start({ REDIS_URL: redis.url, ...DRAIN })));
  t.after(() => Promise.all(gateways.map(gateway => gateway.kill())));
  const nginx = await Nginx.start(t, shortened(withGateways(boxesOf('docs/nginx.md')[0], gateways)));
  const shoppers = ['websocket', 'polling', 'polling then upgrade'].flatMap(road => Array.from({ length: OF_EACH_ROAD }, () => socketShopper(t, nginx, road)));
  shoppers.push(...Array.from({ length: OF_EACH_ROAD }, () => streamShopper(t, nginx)));
  const publishing = publisher(nginx);
  await until(() => shoppers.every(({ last }) => last >= 0), 'every shopper to see a price');

  const turns = [];
  for (const gateway of gateways) turns.push(await roll(gateway));
  await publishing.stop();
  const { accepted, codes } = publishing.said;
  t.diagnostic(`${accepted} events accepted, not at their first try: ${codes.length} (${codes}); turns ${JSON.stringify(turns)}`);
  // A start that takes longer, on a machine with other work, is told.
  const isTold = code => code === 'log_unavailable' && turns.some(({ upMs }) => upMs > QUICK_START_MS);
  assert.deepEqual(codes.filter(code => !isTold(code)), [], 'no post meets a gateway that drains, and one that starts is waited for');
  await until(() => shoppers.every(({ last }) => last === accepted - 1), () => `everybody to see ${accepted - 1}: ${shoppers.map(({ last }) => last)}`);

  const losses = shoppers.map(shopper => shopper.losses);
  const away = losses.filter(count => count > 0).length;
  t.diagnostic(`connections lost by ${away} of ${shoppers.length} shoppers, at most ${Math.max(...losses)} times`);
  assert.ok(Math.max(...losses) <= 2 * gateways.length, `${losses}`);
});
