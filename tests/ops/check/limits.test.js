// From where on, after how long and for how long each alert fires: just beyond its limit, and not at it. A changed number of
// monitoring/alerts.yaml is found here; what the alerts say is tested in monitoring/alerts.test.yaml.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';

import { parse, stringify } from 'yaml';

import { PROMTOOL, read, REPOSITORY, run } from '../support/tools.js';

const CLIENTS = 3_000;
/** The minute at which what was well is not any more. */
const CHANGE = 30;
const END = 75;

const series = (name, values, labels = '') => ({ series: `${name}{instance="a:9100", job="shelfcast"${labels && `, ${labels}`}}`, values });
/** A figure that is another one from minute 30 on. */
const becomes = (name, before, after, labels) => series(name, `${before}x${CHANGE - 1} ${after}x${END - CHANGE}`, labels);
/** A counter that grows by so much a minute, all the time. */
const grows = (name, by, labels) => series(name, `0+${by}x${END}`, labels);
const clients = () => series('shelfcast_connections', `${CLIENTS}x${END}`, 'transport="sse"');
/** All that a stretch of the way took lies between two times. */
const took = (stretch, from, to) => [[from, 0], [to, 600], ['+Inf', 600]].map(([le, by]) => grows(`shelfcast_${stretch}_seconds_bucket`, by, `le="${le}"`));
const memory = each => becomes('shelfcast_process_resident_memory_bytes', 1e8, 17e6 + 268_435_456 + CLIENTS * each);

/** Each alert: `beyond` fires from minute `from` on, until `to` if it ends by itself; `at` never fires. Prometheus 3 counts a minute less. */
const LIMITS = {
  ShelfcastGone: {
    beyond: [series('shelfcast_health_state', `1x${CHANGE - 1} stale`, 'state="ready"')],
    at: [series('shelfcast_health_state', `0x${END}`, 'state="ready"')],
    from: 32,
  },
  ShelfcastDown: { beyond: [becomes('up', 1, 0)], at: [becomes('up', 1, 1)], from: 32 },
  ShelfcastNotReady: {
    beyond: [becomes('shelfcast_health_state', 0, 1, 'state="lagging"')],
    at: [becomes('shelfcast_health_state', 0, 1, 'state="draining"')],
    from: 31,
  },
  ShelfcastLogAway: { beyond: [becomes('shelfcast_log_breaker_open', 0, 1)], at: [becomes('shelfcast_log_breaker_open', 0, 0)], from: 31 },
  ShelfcastLogRefuses: {
    beyond: [becomes('shelfcast_log_append_failures_total', 0, '1 2', 'reason="disk"')],
    at: [becomes('shelfcast_log_append_failures_total', 0, '1 2', 'reason="unknown"')],
    from: 31, to: 32,
  },
  ShelfcastLogLag: { beyond: [becomes('shelfcast_log_behind_events', 0, 1_001)], at: [becomes('shelfcast_log_behind_events', 0, 1_000)], from: 31 },
  ShelfcastLogReset: { beyond: [becomes('shelfcast_log_resets_total', 0, 1)], at: [becomes('shelfcast_log_resets_total', 1, 1)], from: 30, to: 39 },
  ShelfcastStale: {
    beyond: [...took('accept_to_append', 0.01, 0.02), ...took('append_to_flush', 0.95, 0.96), ...took('flush_to_written', 0.03, 0.04)],
    at: [...took('accept_to_append', 0.01, 0.02), ...took('append_to_flush', 0.93, 0.94), ...took('flush_to_written', 0.03, 0.04)],
    from: 6,
  },
  ShelfcastRefusing: {
    beyond: [grows('shelfcast_requests_refused_total', 6.1, 'code="overloaded"')],
    at: [grows('shelfcast_requests_refused_total', 5.9, 'code="overloaded"')],
    from: 7,
  },
  ShelfcastBadRequests: {
    beyond: [grows('shelfcast_requests_refused_total', 12.1, 'code="unauthorized"')],
    at: [grows('shelfcast_requests_refused_total', 11.9, 'code="unauthorized"')],
    from: 20,
  },
  ShelfcastInputGap: { beyond: [becomes('shelfcast_input_gaps_total', 0, 1)], at: [becomes('shelfcast_input_gaps_total', 1, 1)], from: 30, to: 39 },
  ShelfcastNoLeaseHolder: {
    beyond: [becomes('shelfcast_input_lease_held', 1, 0), series('shelfcast_channel_messages_total', `1x${END}`, 'outcome="heard"')],
    at: [becomes('shelfcast_input_lease_held', 1, 0), series('shelfcast_channel_messages_total', `0x${END}`, 'outcome="heard"')],
    from: 31,
  },
  ShelfcastWebhookDebts: { beyond: [becomes('shelfcast_webhook_products_owed', 0, 1)], at: [becomes('shelfcast_webhook_products_owed', 0, 0)], from: 35 },
  ShelfcastFull: {
    beyond: [becomes('shelfcast_sessions_refused_total', 0, '1 2', 'reason="full"')],
    at: [becomes('shelfcast_sessions_refused_total', 0, '1 2', 'reason="too_fast"')],
    from: 31, to: 32,
  },
  ShelfcastNearlyFull: {
    beyond: [clients(), becomes('shelfcast_connections_max', 5_000, 3_740)],
    at: [clients(), becomes('shelfcast_connections_max', 5_000, 3_750)],
    from: 35,
  },
  ShelfcastChurn: {
    beyond: [clients(), grows('shelfcast_connections_opened_total', 301, 'transport="sse"')],
    at: [clients(), grows('shelfcast_connections_opened_total', 299, 'transport="sse"')],
    from: 15,
  },
  ShelfcastSlowClients: {
    beyond: [clients(), grows('shelfcast_connections_cut_total', 12.1, 'reason="write"')],
    at: [clients(), grows('shelfcast_connections_cut_total', 11.9, 'reason="write"')],
    from: 15,
  },
  ShelfcastResyncStorm: {
    beyond: [clients(), grows('shelfcast_resyncs_total', 301, 'reason="gap"')],
    at: [clients(), grows('shelfcast_resyncs_total', 299, 'reason="gap"')],
    from: 15,
  },
  ShelfcastRefetchQueue: { beyond: [becomes('shelfcast_refetch_queue_seconds', 0, 25.1)], at: [becomes('shelfcast_refetch_queue_seconds', 0, 25)], from: 35 },
  ShelfcastMemory: { beyond: [clients(), memory(65_537)], at: [clients(), memory(65_536)], from: 45 },
  ShelfcastPanic: { beyond: [becomes('shelfcast_panics_total', 0, 1)], at: [becomes('shelfcast_panics_total', 1, 1)], from: 30, to: 44 },
};

/** Each alert looks at a namespace of its own, so that one test of promtool holds nearly all of them. */
const inOwn = (alert, list) => list.map(({ series, values }) => ({ series: series.replace('{', `{namespace="${alert}", `), values }));
const firing = alert => `ALERTS{alertname="${alert}", alertstate="firing", namespace=~"${alert}|"}`;
const expect = (expr, minute, value) => ({ expr: `${expr} or vector(0)`, eval_time: `${minute}m`, exp_samples: [{ labels: '{}', value }] });

function testsOf(name, limits) {
  const beyond = limits.flatMap(([alert, { from, to }]) => {
    const minutes = [[from - 1, 0], [from, 1], ...(to === undefined ? [[END - 1, 1]] : [[to - 1, 1], [to + 1, 0]])];
    return minutes.map(([minute, value]) => expect(`count(${firing(alert)})`, minute, value));
  });
  const at = limits.map(([alert]) => expect(`sum(count_over_time(${firing(alert)}[${END}m]))`, END, 0));
  const seriesOf = side => limits.flatMap(([alert, sides]) => inOwn(alert, sides[side]));
  return [
    { name: `${name}, beyond`, interval: '1m', input_series: seriesOf('beyond'), promql_expr_test: beyond },
    { name: `${name}, at`, interval: '1m', input_series: seriesOf('at'), promql_expr_test: at },
  ];
}

test('each alert fires just beyond its limit, from its minute on and no sooner, and not at it', t => {
  const { groups } = parse(read('monitoring/alerts.yaml'));
  assert.deepEqual(Object.keys(LIMITS).toSorted(), groups.flatMap(({ rules }) => rules.flatMap(({ alert }) => alert ?? [])).toSorted());
  // One of them sees what is not there at all.
  const [gone, others] = [true, false].map(isGone => Object.entries(LIMITS).filter(([alert]) => (alert === 'ShelfcastGone') === isGone));
  const tests = [...testsOf('nothing there', gone), ...testsOf('something there', others)];
  const folder = mkdtempSync(path.join(tmpdir(), 'shelfcast-limits-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = path.join(folder, 'limits.yaml');
  // In any other order, which promtool draws anew each time, alerts see recorded figures of the minute before.
  const order = groups.map(({ name }) => name);
  writeFileSync(file, stringify({ rule_files: [path.join(REPOSITORY, 'monitoring/alerts.yaml')], evaluation_interval: '1m', group_eval_order: order, tests }));
  run(PROMTOOL, ['test', 'rules', file]);
});
