// What one file names, another one has: secrets, images, hosts, ports and folders, across the manifests, the Dockerfile,
// compose.yaml and what Prometheus and Grafana are given.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';

import { parse } from 'yaml';

import { copyOf, pairs, stagesOf } from '../image/dockerfile.js';
import { numberIn } from '../support/figures.js';
import { build, BUILDS, one } from '../support/manifests.js';
import { defaults } from '../support/settings.js';
import { read, REPOSITORY } from '../support/tools.js';

const image = stagesOf(read('Dockerfile')).at(-1).steps;
const textsOf = name => image.filter(step => step.name === name).map(({ text }) => text);
const compose = parse(read('compose.yaml'));
const { services } = compose;
const prometheus = parse(read('monitoring/prometheus.yaml'));

/** The job that alerts select. */
const JOB = /up\{job="(\w+)"\}/.exec(read('monitoring/alerts.yaml'))[1];

const containerOf = (objects, name = 'shelfcast') => one(objects, 'Deployment', name).spec.template.spec.containers[0];
/** The files below the Secret's folder that the gateway is told to read. */
const secretsOf = objects => containerOf(objects).env.filter(({ name }) => name.endsWith('_FILE')).map(({ value }) => path.basename(value));

test('the image starts what was copied into it, and its health check is a command of that, with time to give up', () => {
  const { sources: [built], target } = textsOf('COPY').map(copyOf).find(({ from }) => from === 'build');
  const binary = target + path.basename(built);
  assert.deepEqual(JSON.parse(textsOf('ENTRYPOINT')[0]), [binary]);
  const [, timeout, command] = /--timeout=(\d+)s .* CMD (.*)$/.exec(textsOf('HEALTHCHECK')[0]);
  const [program, subcommand, ...rest] = JSON.parse(command);
  assert.deepEqual([program, rest], [binary, []]);
  assert.ok(read('README.md').includes(`| \`shelfcast ${subcommand}\` |`), `the command ${subcommand}`);
  assert.ok(Number(timeout) > numberIn('src/cli/healthcheck.rs', /TIMEOUT: Duration = Duration::from_secs\((\d+)\)/), `${timeout} s`);
});

test('the image sets what is a setting, and Kubernetes starts it as its user', () => {
  for (const name of textsOf('ENV').flatMap(text => Object.keys(pairs(text)))) assert.ok(name in defaults(), name);
  for (const name of BUILDS) {
    const { runAsUser, runAsGroup } = one(build(name).objects, 'Deployment').spec.template.spec.securityContext;
    assert.deepEqual([`${runAsUser}:${runAsGroup}`], textsOf('USER'), name);
  }
});

test('production runs the image of its overlay', () => {
  const { images: [{ newName, newTag }] } = parse(read('k8s/overlays/prod/kustomization.yaml'));
  for (const name of BUILDS.slice(1)) assert.equal(containerOf(build(name).objects).image, `${newName}:${newTag}`);
  assert.equal(containerOf(build('dev').objects).image, services.gateway.image, 'what `docker build` calls it');
});

test('the Secret has the files that the gateway reads: that of the dev overlay, and that which k8s/README.md tells to make', () => {
  const { objects } = build('dev');
  const secret = one(objects, 'Secret');
  const volume = one(objects, 'Deployment').spec.template.spec.volumes[0];
  assert.equal(volume.secret.secretName, secret.metadata.name);
  assert.deepEqual(secretsOf(objects).toSorted(), Object.keys(secret.data).toSorted());

  const [, name, literals] = /create secret generic (\S+) \\\n((?: +--from-literal=.*\n)+)/.exec(read('k8s/README.md'));
  const prod = build('prod').objects;
  assert.equal(one(prod, 'Deployment').spec.template.spec.volumes[0].secret.secretName, name);
  assert.deepEqual([...literals.matchAll(/--from-literal=([\w-]+)=/g)].map(([, key]) => key).toSorted(), secretsOf(prod).toSorted());
});

test('the gateway of the dev overlay finds its Redis, and is let through to it', () => {
  const { objects } = build('dev');
  const { metadata, spec: { ports: [port] } } = one(objects, 'Service', 'redis');
  const url = Buffer.from(one(objects, 'Secret').data['redis-url'], 'base64').toString();
  assert.equal(url, `redis://${metadata.name}:${port.port}`);
  const redis = containerOf(objects, 'redis');
  const target = redis.ports.find(({ name }) => name === port.targetPort);
  const out = one(objects, 'NetworkPolicy').spec.egress.flatMap(({ ports }) => ports.map(rule => rule.port));
  assert.ok(out.includes(target.containerPort), `${out}`);
});

test('the autoscaler scales the Deployment, by the metric that k8s/README.md has the adapter bring', () => {
  const { spec: { scaleTargetRef, metrics } } = one(build('prod').objects, 'HorizontalPodAutoscaler');
  assert.deepEqual(scaleTargetRef, { apiVersion: 'apps/v1', kind: 'Deployment', name: one(build('prod').objects, 'Deployment').metadata.name });
  const { pods: { metric } } = metrics.find(({ type }) => type === 'Pods');
  assert.equal(/seriesQuery: '(\w+)\{/.exec(read('k8s/README.md'))[1], metric.name);
});

test('the PodMonitor asks the pods where they answer, under the job that alerts select', () => {
  const { objects } = build('prod');
  const { spec: { jobLabel, selector: { matchLabels }, podMetricsEndpoints: [{ port, path: at }] } } = one(objects, 'PodMonitor');
  const { labels } = one(objects, 'Deployment').spec.template.metadata;
  assert.equal(labels[jobLabel], JOB);
  assert.ok(Object.keys(matchLabels).length > 0);
  for (const [label, value] of Object.entries(matchLabels)) assert.equal(labels[label], value, label);
  assert.equal(containerOf(objects).ports.find(({ name }) => name === port)?.name, 'admin');
  assert.equal(at, '/metrics');
});

test('an Ingress has a certificate for its host, and every way in has the same host', () => {
  const hosts = BUILDS.slice(1).flatMap(name => {
    const { objects } = build(name);
    const route = objects.find(({ kind }) => kind === 'HTTPRoute');
    if (route) return route.spec.hostnames;
    const { tls, rules } = one(objects, 'Ingress').spec;
    assert.deepEqual(tls.flatMap(entry => entry.hosts), rules.map(({ host }) => host), name);
    return rules.map(({ host }) => host);
  });
  assert.equal(new Set(hosts).size, 1, `${hosts}`);
});

test('compose.yaml: what a service names is there', () => {
  const { hostname } = new URL(services.gateway.environment.REDIS_URL);
  assert.ok(hostname in services.gateway.depends_on, hostname);
  for (const [name, { volumes = [], depends_on: needs = {} }] of Object.entries(services)) {
    for (const other of Object.keys(needs)) assert.ok(services[other]?.healthcheck, `${name} waits for the health of ${other}`);
    for (const [from] of volumes.map(volume => volume.split(':'))) {
      assert.ok(from.startsWith('./') ? existsSync(path.join(REPOSITORY, from)) : from in compose.volumes, `${name}: ${from}`);
    }
  }
});

test('compose.yaml: Prometheus finds its alerts, and Grafana finds Prometheus and the dashboard', () => {
  const mounted = name => services[name].volumes.map(volume => volume.split(':')[1]);
  assert.ok(mounted('prometheus').includes('/etc/prometheus/prometheus.yml'), 'where the image looks');
  for (const file of prometheus.rule_files) assert.ok(mounted('prometheus').includes(`/etc/prometheus/${file}`), file);
  assert.equal(prometheus.scrape_configs[0].job_name, JOB);

  const [source] = parse(read('monitoring/grafana/provisioning/datasources/prometheus.yaml')).datasources;
  const { hostname, port } = new URL(source.url);
  assert.ok(services[hostname].ports.some(published => published.endsWith(`:${port}`)), source.url);
  const [{ options }] = parse(read('monitoring/grafana/provisioning/dashboards/shelfcast.yaml')).providers;
  assert.ok(mounted('grafana').some(file => path.dirname(file) === options.path && file.endsWith('.json')), options.path);
  assert.ok(mounted('grafana').includes('/etc/grafana/provisioning'), 'where the image looks');
});

test('CI has the Node that the tests ask for', () => {
  const [, asked] = />=(\d+)/.exec(JSON.parse(read('tests/ops/package.json')).engines.node);
  const versions = Object.values(parse(read('.github/workflows/ci.yml')).jobs).flatMap(({ steps }) => steps.flatMap(step => step.with?.['node-version'] ?? []));
  assert.ok(versions.length > 0);
  for (const version of versions) assert.ok(Number(version) >= Number(asked), `${version}`);
});
