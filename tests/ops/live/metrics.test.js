// Alerts and dashboard against real gateways and a real Prometheus: what they ask for is there, every panel shows something,
// and nobody is called while all is well.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { parse } from 'yaml';

import { RedisServer } from '../../e2e/chaos/redis.js';
import { Client } from '../../e2e/support/client.js';
import { Gateway } from '../../e2e/support/gateway.js';
import { request } from '../../e2e/support/http.js';
import { notify, post, price } from '../../e2e/support/notify.js';
import { openStream, streamPath } from '../../e2e/support/sse.js';
import { pause, until } from '../../e2e/support/wait.js';
import { known, missing, ofDashboard, ofRules } from '../support/metrics.js';
import { Prometheus } from '../support/prometheus.js';
import { read } from '../support/tools.js';

/** Seconds that rates are taken over; Grafana puts four scrapes in. */
const RATE_WINDOW_SECS = 5;
const TRAFFIC_MS = (RATE_WINDOW_SECS + 2) * 1_000;

const rules = parse(read('monitoring/alerts.yaml'));
const dashboard = JSON.parse(read('monitoring/grafana/shelfcast.json'));

/** As Grafana fills the variables in when everything is chosen. */
const filled = expr => expr.replaceAll('$__rate_interval', `${RATE_WINDOW_SECS}s`).replaceAll(/\$(job|instance)/g, '.*');

/** Two gateways on a Redis. */
async function shop(t) {
  const redis = await RedisServer.start();
  t.after(() => redis.kill9());
  const gateways = await Promise.all([1, 2].map(() => Gateway.start({ REDIS_URL: redis.url })));
  t.after(() => Promise.all(gateways.map(gateway => gateway.kill())));
  return { redis, gateways };
}

async function shoppers(t, gateways) {
  for (const gateway of gateways) {
    const client = await new Client(gateway).ready();
    t.after(() => client.socket.close());
    await client.join('p1');
    await openStream(t, gateway, streamPath(['p1', 'p2']));
  }
}

/** Publishers, and a bit of what is refused. */
async function traffic(gateways, untilMs) {
  for (let figure = 0; performance.now() < untilMs; figure++) {
    for (const gateway of gateways) {
      await notify(gateway, price('p1', figure), price('p2', figure));
      await post(gateway, 'oops');
      await post(gateway, price('p1', 1), { headers: { 'x-api-key': 'no-key-of-anybody' } });
    }
    await pause(100);
  }
}

test('every panel shows something, every rule can be computed, and no alert fires', async t => {
  const { gateways } = await shop(t);
  await shoppers(t, gateways);
  const prometheus = await Prometheus.start(t, gateways);
  await traffic(gateways, performance.now() + TRAFFIC_MS);

  const there = known((await request(gateways[0], '/metrics')).text);
  for (const { title, expr } of [...ofRules(rules), ...ofDashboard(dashboard)]) assert.deepEqual(missing(expr, there, ['code']), [], title);

  const empty = [];
  for (const { title, expr } of ofDashboard(dashboard)) {
    const answer = await prometheus.query(filled(expr));
    if (answer.length === 0 || answer.every(({ value }) => Number.isNaN(value))) empty.push(`${title}: ${expr}`);
  }
  assert.deepEqual(empty, []);
  const [{ value: p99 }] = await until(() => prometheus.query('shelfcast:accepted_to_written_seconds:p99').then(found => found.length > 0 && found), 'the freshness');
  assert.ok(p99 > 0.2 && p99 < 5, `a window of 300 ms, and ${p99} s`);

  const all = await prometheus.rules();
  assert.equal(all.length, rules.groups.flatMap(group => group.rules).length);
  for (const { name, health, lastError, state } of all) {
    assert.equal(health, 'ok', `${name}: ${lastError}`);
    assert.notEqual(state, 'firing', name);
  }
});

test('a Redis that has gone and a gateway that has gone set their alerts going, and a new Redis tells of a reset', async t => {
  const { redis, gateways: [stays, goes] } = await shop(t);
  const prometheus = await Prometheus.start(t, [stays, goes]);
  await notify(stays, price('p1', 1));
  const states = async () => new Map((await prometheus.rules()).map(({ name, state }) => [name, state]));
  const comes = (alert, state) => until(async () => (await states()).get(alert) === state, `${alert} to be ${state}`, 30_000);
  await until(() => prometheus.query('up == 1').then(up => up.length === 2), 'both gateways to be asked');

  await goes.kill();
  await comes('ShelfcastDown', 'pending');   // It fires after two minutes.
  await redis.kill9();
  await comes('ShelfcastLogAway', 'pending');
  assert.equal((await states()).get('ShelfcastNotReady'), 'inactive', 'it stays ready on purpose');
  await redis.start();
  await comes('ShelfcastLogReset', 'firing');
  await comes('ShelfcastLogAway', 'inactive');
});

test('a name or label that is not there is found', async t => {
  const gateway = await Gateway.start();
  t.after(() => gateway.stop());
  const there = known((await request(gateway, '/metrics')).text);
  assert.deepEqual(missing('sum(rate(shelfcast_evnts_accepted_total[5m]))', there), ['shelfcast_evnts_accepted_total']);
  assert.deepEqual(missing('shelfcast_health_state{state=~"ready|laging"}', there), ['shelfcast_health_state{state="laging"}']);
});
