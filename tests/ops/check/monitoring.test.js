// Alerts fire for what they are there for, lead to a section of the runbook, and ask, like the dashboard, only for metrics
// that there are.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';

import { parse, stringify } from 'yaml';

import { listed, missing, ofDashboard, ofRules } from '../support/metrics.js';
import { COPY, prometheusRule } from '../support/rules.js';
import { PROMTOOL, read, run } from '../support/tools.js';

const rules = parse(read('monitoring/alerts.yaml'));
const alerts = rules.groups.flatMap(group => group.rules).filter(({ alert }) => alert !== undefined);
const dashboard = JSON.parse(read('monitoring/grafana/shelfcast.json'));

/** Units of Grafana that figures of a gateway have. */
const UNITS = new Set(['short', 'none', 's', 'bytes', 'Bps', 'eps', 'ops', 'reqps', 'percentunit']);

/** Every code that a refusal can have; the list has one of them. */
const codes = new Set(read('src/web/problem.rs').match(/(?<=StatusCode::\w+, ")\w+(?=")/g));

test('Prometheus reads rules and configuration, and the alerts do what their tests say', () => {
  run(PROMTOOL, ['check', 'config', 'monitoring/prometheus.yaml']);
  run(PROMTOOL, ['check', 'rules', 'monitoring/alerts.yaml']);
  run(PROMTOOL, ['test', 'rules', 'alerts.test.yaml'], { cwd: new URL('../../../monitoring/', import.meta.url) });
});

test('each alert is seen to fire, and seen not to', () => {
  const cases = parse(read('monitoring/alerts.test.yaml')).tests.flatMap(({ alert_rule_test: list = [] }) => list);
  for (const { alert } of alerts) {
    const own = cases.filter(({ alertname }) => alertname === alert);
    assert.ok(own.some(({ exp_alerts: expected }) => expected.length > 0), `${alert} is never seen to fire`);
    assert.ok(own.some(({ exp_alerts: expected }) => expected.length === 0), `${alert} is never seen not to fire`);
  }
});

test('each alert has a section of the runbook, and each section an alert', () => {
  const sections = [...read('docs/runbook.md').matchAll(/^### (Shelfcast\w+)$/gm)].map(([, name]) => name);
  assert.deepEqual(sections.toSorted(), alerts.map(({ alert }) => alert).toSorted());
  for (const { alert, labels, annotations } of alerts) {
    assert.equal(annotations.runbook_url, `docs/runbook.md#${alert.toLowerCase()}`);
    assert.ok(['critical', 'warning'].includes(labels.severity), alert);
    assert.ok(annotations.summary.length > 0);
  }
});

test('the runbook names the limits of alerts as they are', () => {
  const inWords = {
    ShelfcastStale: seconds => `above ${seconds} s`,
    ShelfcastNearlyFull: share => `${share * 100} %`,
    ShelfcastSlowClients: share => `${share * 100} %`,
    ShelfcastMemory: bytes => `${bytes / 1024} kB`,
  };
  for (const [alert, words] of Object.entries(inWords)) {
    const limit = Number(/> ([\d.]+)/.exec(alerts.find(rule => rule.alert === alert).expr)[1]);
    const [, section] = new RegExp(`^### ${alert}$(.*?)^##`, 'ms').exec(read('docs/runbook.md'));
    assert.ok(section.includes(words(limit)), `${alert}: ${words(limit)}`);
  }
});

test('alerts and dashboard ask for metrics and labels that there are', () => {
  const there = listed();
  const autoscaler = parse(read('k8s/base/hpa.yaml')).spec.metrics.filter(({ pods }) => pods).map(({ pods }) => ({ title: 'the autoscaler', expr: pods.metric.name }));
  const all = [...ofRules(rules), ...ofDashboard(dashboard), ...autoscaler];
  assert.ok(all.length > 60, `${all.length} expressions`);
  for (const { title, expr } of all) {
    assert.deepEqual(missing(expr, there, ['code']), [], title);
    for (const [, values] of expr.matchAll(/\bcode=~?"([^"]*)"/g)) for (const code of values.split('|')) assert.ok(codes.has(code), `${title}: no refusal is called ${code}`);
  }
});

test('every metric there is, is on the dashboard', () => {
  const shown = ofDashboard(dashboard).map(({ expr }) => expr).join('\n');
  const names = [...listed().keys()].map(name => name.replace(/_(sum|count|bucket)$/, ''));
  const absent = [...new Set(names)].filter(name => !shown.includes(name));
  assert.deepEqual(absent, ['shelfcast_sale_boundaries_fired_total', 'shelfcast_viewers_elsewhere']);
});

test('the panels of the dashboard have a name, a word about what they show, and a place of their own', () => {
  const panels = dashboard.panels.filter(({ type }) => type !== 'row');
  assert.equal(new Set(dashboard.panels.map(({ id }) => id)).size, dashboard.panels.length);
  const taken = new Map();
  for (const { title, description, gridPos: { x, y, w, h }, datasource } of panels) {
    assert.ok(title && description, title);
    assert.deepEqual(datasource, { type: 'prometheus', uid: '${datasource}' });
    for (let column = x; column < x + w; column++) for (let line = y; line < y + h; line++) {
      assert.equal(taken.get(`${column},${line}`), undefined, `${title} lies on ${taken.get(`${column},${line}`)}`);
      taken.set(`${column},${line}`, title);
    }
  }
});

test('Prometheus can read what the dashboard asks, and its variables and units are some that there are', t => {
  const all = ofDashboard(dashboard);
  const variables = [...dashboard.templating.list.map(({ name }) => name), '__rate_interval'];
  for (const { title, expr } of all) for (const [, name] of expr.matchAll(/\$(\w+)/g)) assert.ok(variables.includes(name), `${title}: $${name}`);
  // Grafana writes a unit that it does not know behind the figure, and scales nothing.
  for (const { title, fieldConfig } of dashboard.panels.filter(({ type }) => type !== 'row')) {
    assert.ok(UNITS.has(fieldConfig.defaults.unit), `${title}: ${fieldConfig.defaults.unit}`);
  }

  const folder = mkdtempSync(path.join(tmpdir(), 'shelfcast-dashboard-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = path.join(folder, 'expressions.yaml');
  const filled = all.map(({ expr }, index) => ({ record: `dashboard:${index}`, expr: expr.replaceAll('$__rate_interval', '1m') }));
  writeFileSync(file, stringify({ groups: [{ name: 'dashboard', rules: filled }] }));
  run(PROMTOOL, ['check', 'rules', file]);
});

test('the Prometheus operator gets the same alerts', () => {
  assert.deepEqual(parse(read(COPY)), prometheusRule(), 'npm run rules in tests/ops writes them');
});
