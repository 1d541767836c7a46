// Numbers that stand in more than one place agree: manifests, compose.yaml, and the defaults of the gateway. No default is
// written here a second time.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { parse } from 'yaml';

import { bytes, CONNECTION_BYTES, DRAIN_GRACE_MS, PROCESS_BYTES, SILENT_SECS } from '../support/figures.js';
import { build, BUILDS, gateway, one } from '../support/manifests.js';
import { boxesOf } from '../support/nginx.js';
import { defaults } from '../support/settings.js';
import { read } from '../support/tools.js';

/** For a node that is slow, beyond what the gateway needs at most. */
const MARGIN_SECS = 5;
/** A limit that is reached ends the process. */
const MEMORY_MARGIN = 1.25;
/** Of how many connections a second the other pods are to take in while one drains. */
const RECONNECTIONS_MAX = 500;

const DEFAULTS = defaults();
const drainSecs = ({ DRAIN_DELAY_MS, DRAIN_SPREAD_MS }) => (Number(DRAIN_DELAY_MS) + Number(DRAIN_SPREAD_MS) + DRAIN_GRACE_MS) / 1_000;

test('the defaults are known', () => {
  for (const name of ['PORT', 'DRAIN_DELAY_MS', 'DRAIN_SPREAD_MS', 'MAX_CONNECTIONS', 'LOG_MAX_BYTES']) assert.ok(Number(DEFAULTS[name]) > 0, name);
});

for (const name of ['base', ...BUILDS]) {
  const { objects } = build(name);
  const { deployment, pod, container, settings } = gateway(objects, DEFAULTS);

  test(`${name}: every setting is one that there is`, () => {
    const named = [...Object.keys(one(objects, 'ConfigMap').data), ...container.env.map(env => env.name.replace(/_FILE$/, ''))];
    for (const setting of named) assert.ok(setting in DEFAULTS, setting);
  });

  test(`${name}: a pod is not killed before it has drained`, () => {
    const needed = container.lifecycle.preStop.sleep.seconds + drainSecs(settings) + MARGIN_SECS;
    assert.ok(pod.terminationGracePeriodSeconds >= needed, `${pod.terminationGracePeriodSeconds} s, and it needs ${needed}`);
  });

  test(`${name}: a pod that drains is found out before it stops taking connections`, () => {
    const { periodSeconds, failureThreshold, timeoutSeconds, httpGet } = container.readinessProbe;
    const noticed = periodSeconds * failureThreshold + timeoutSeconds;
    assert.ok(noticed * 1_000 <= Number(settings.DRAIN_DELAY_MS), `${noticed} s`);
    assert.equal(httpGet.path, '/health/ready');
  });

  test(`${name}: only a process that has hung for a minute is restarted`, () => {
    const { periodSeconds, failureThreshold, httpGet } = container.livenessProbe;
    assert.ok(periodSeconds * failureThreshold >= 60);
    for (const probe of [httpGet, container.startupProbe.httpGet]) assert.equal(probe.path, '/health/live');
    assert.ok(container.startupProbe.periodSeconds * container.startupProbe.failureThreshold >= 30);
  });

  test(`${name}: the ports are those the gateway listens on`, () => {
    const ports = Object.fromEntries(container.ports.map(port => [port.name, String(port.containerPort)]));
    assert.deepEqual(ports, { http: settings.PORT, admin: settings.ADMIN_PORT });
    assert.notEqual(settings.PORT, settings.ADMIN_PORT);
  });

  test(`${name}: the memory is enough for as many clients as are let in`, () => {
    const needed = (PROCESS_BYTES + Number(settings.LOG_MAX_BYTES) + Number(settings.MAX_CONNECTIONS) * CONNECTION_BYTES) * MEMORY_MARGIN;
    assert.ok(bytes(container.resources.limits.memory) >= needed, `${container.resources.limits.memory}, and it needs ${Math.ceil(needed / 2 ** 20)}Mi`);
  });

  test(`${name}: a deploy never has fewer pods, and takes them one by one`, () => {
    assert.deepEqual(deployment.spec.strategy, { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } });
    assert.equal(one(objects, 'PodDisruptionBudget').spec.maxUnavailable, 1);
  });
}

for (const name of BUILDS.slice(1)) {
  const { objects } = build(name);
  const { pod, settings } = gateway(objects, DEFAULTS);

  test(`${name}: pods are added before they are full, also when one is lost`, () => {
    const { minReplicas, metrics, behavior } = one(objects, 'HorizontalPodAutoscaler').spec;
    const target = Number(metrics.find(({ type }) => type === 'Pods').pods.target.averageValue);
    const afterLoss = (target * minReplicas) / (minReplicas - 1);
    assert.ok(afterLoss <= 0.8 * Number(settings.MAX_CONNECTIONS), `${afterLoss} of ${settings.MAX_CONNECTIONS}`);
    const [down] = behavior.scaleDown.policies;
    assert.ok(down.value === 1 && down.periodSeconds > pod.terminationGracePeriodSeconds, 'one has gone before the next goes');
    assert.ok((target * 1_000) / Number(settings.DRAIN_SPREAD_MS) <= RECONNECTIONS_MAX, 'as a pod drains, its clients come to the others');
  });

  test(`${name}: the proxy waits for longer than a connection is silent`, () => {
    const ingress = objects.find(({ kind }) => kind === 'Ingress');
    if (!ingress) return;   // HTTPRoute: no limit at all, which manifests.test.js sees to.
    const seconds = Number(ingress.metadata.annotations['nginx.ingress.kubernetes.io/proxy-read-timeout']);
    assert.ok(seconds >= 2 * SILENT_SECS, `${seconds} s`);
    assert.equal(ingress.metadata.annotations['nginx.ingress.kubernetes.io/proxy-body-size'], '2m', 'webhooks');
  });
}

test('nginx as documented waits for longer than a connection is silent, and lets go of a gateway before it drains', () => {
  const boxes = ['README.md', 'docs/nginx.md'].flatMap(boxesOf);
  const seconds = name => boxes.flatMap(text => [...text.matchAll(new RegExp(`${name} (\\d+)s;`, 'g'))].map(([, value]) => Number(value)));
  assert.equal(seconds('proxy_read_timeout').length, 2);
  for (const timeout of seconds('proxy_read_timeout')) assert.ok(timeout >= 2 * SILENT_SECS, `${timeout} s`);
  for (const text of boxes) assert.equal(text.match(/ keepalive /g)?.length, text.match(/ keepalive_timeout /g)?.length);
  for (const timeout of seconds('keepalive_timeout')) assert.ok(timeout * 1_000 < Number(DEFAULTS.DRAIN_DELAY_MS), `${timeout} s`);
});

test('compose.yaml: the gateway has the time to drain, and Prometheus asks where it answers', () => {
  const { services: { gateway: service, redis } } = parse(read('compose.yaml'));
  assert.ok(Number.parseInt(service.stop_grace_period) >= drainSecs({ ...DEFAULTS, ...service.environment }) + MARGIN_SECS);
  assert.deepEqual(service.ports, [`127.0.0.1:${DEFAULTS.PORT}:${DEFAULTS.PORT}`]);
  const { scrape_configs: [job] } = parse(read('monitoring/prometheus.yaml'));
  assert.deepEqual(job.static_configs[0].targets, [`gateway:${service.environment.ADMIN_PORT}`]);
  for (const name of Object.keys(service.environment)) assert.ok(name in DEFAULTS, name);
  assert.ok(bytes(redis.command[redis.command.indexOf('--maxmemory') + 1]) >= 2 * Number(DEFAULTS.LOG_MAX_BYTES));
});
