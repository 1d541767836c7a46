// The manifests fit the API of Kubernetes, and each other.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';

import { check, isCustom } from '../support/custom.js';
import { build, BUILDS, one } from '../support/manifests.js';
import { KUBERNETES_VALIDATE, run } from '../support/tools.js';

/** The oldest that knows everything used here (preStop.sleep), and the newest there is a schema of. */
const KUBERNETES = ['1.30', '1.37'];

test('every object of every build fits its API', async t => {
  // Builds differ in little, and reading the schemas takes a second: each object is looked at once.
  const distinct = new Map(BUILDS.flatMap(name => build(name).objects).map(object => [JSON.stringify(object), object]));
  const own = [...distinct].filter(([, object]) => !isCustom(object)).map(([text]) => text);
  const folder = mkdtempSync(path.join(tmpdir(), 'shelfcast-manifests-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = path.join(folder, 'all.yaml');
  writeFileSync(file, own.join('\n---\n'));   // JSON is YAML.
  for (const version of KUBERNETES) run(KUBERNETES_VALIDATE, ['--strict', '--quiet', '--no-warn', '-k', version, file]);
  for (const object of distinct.values()) if (isCustom(object)) await check(object);
});

for (const name of BUILDS) {
  test(`${name}: what is named is there`, () => {
    const { objects } = build(name);
    const { metadata: { labels }, spec: pod } = one(objects, 'Deployment').spec.template;
    const [container] = pod.containers;
    const ports = container.ports.map(port => port.name);
    const selectsPods = ({ matchLabels = {} }) => {
      assert.ok(Object.keys(matchLabels).length > 0, 'a selector of everything');
      for (const [label, value] of Object.entries(matchLabels)) assert.equal(labels[label], value, label);
    };

    selectsPods(one(objects, 'Deployment').spec.selector);
    selectsPods(one(objects, 'PodDisruptionBudget').spec.selector);
    selectsPods(one(objects, 'NetworkPolicy').spec.podSelector);
    selectsPods({ matchLabels: one(objects, 'Service').spec.selector });
    for (const { labelSelector } of pod.topologySpreadConstraints) selectsPods(labelSelector);
    for (const { port } of one(objects, 'NetworkPolicy').spec.ingress.flatMap(rule => rule.ports)) assert.ok(ports.includes(port), port);
    for (const { targetPort } of one(objects, 'Service').spec.ports) assert.ok(ports.includes(targetPort), targetPort);
    for (const probe of [container.startupProbe, container.livenessProbe, container.readinessProbe]) assert.equal(probe.httpGet.port, 'http');
    assert.equal(container.envFrom[0].configMapRef.name, one(objects, 'ConfigMap').metadata.name);
    assert.equal(pod.serviceAccountName, one(objects, 'ServiceAccount').metadata.name);
    assert.equal(pod.volumes[0].name, container.volumeMounts[0].name);
    for (const { name: variable, value } of container.env.filter(({ name: variable }) => variable.endsWith('_FILE'))) {
      assert.equal(path.dirname(value), container.volumeMounts[0].mountPath, variable);
    }
    const namespaces = new Set(objects.map(({ metadata }) => metadata.namespace).filter(namespace => namespace !== undefined));
    assert.deepEqual([...namespaces], [one(objects, 'Namespace').metadata.name]);
  });

  test(`${name}: pods may do nothing that they need not`, () => {
    for (const { spec: { template: { spec: pod } } } of build(name).objects.filter(({ kind }) => kind === 'Deployment')) {
      assert.deepEqual([pod.automountServiceAccountToken, pod.securityContext.runAsNonRoot, pod.securityContext.seccompProfile.type], [false, true, 'RuntimeDefault']);
      for (const { securityContext, resources } of pod.containers) {
        assert.deepEqual(securityContext, { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } });
        assert.ok(resources.requests.memory && resources.requests.cpu && resources.limits.memory);
      }
    }
    assert.equal(one(build(name).objects, 'Namespace').metadata.labels['pod-security.kubernetes.io/enforce'], 'restricted');
  });
}

test('every way in leads to the Service, and the paths of a client that polls stay at one pod', () => {
  for (const name of BUILDS.slice(1)) {
    const { objects } = build(name);
    const [port] = one(objects, 'Service').spec.ports;
    const polls = !name.includes('websocket');
    if (name.includes('gateway-api')) {
      const [rule] = one(objects, 'HTTPRoute').spec.rules;
      assert.deepEqual(rule.backendRefs, [{ name: 'shelfcast', port: port.port }]);
      assert.deepEqual(rule.timeouts, { request: '0s', backendRequest: '0s' });
      assert.equal(rule.sessionPersistence?.type, polls ? 'Cookie' : undefined);
    } else {
      const { metadata: { annotations }, spec } = one(objects, 'Ingress');
      assert.deepEqual(spec.rules[0].http.paths[0].backend.service, { name: 'shelfcast', port: { name: port.name } });
      assert.equal(annotations['nginx.ingress.kubernetes.io/affinity'], polls ? 'cookie' : undefined);
      assert.equal(annotations['nginx.ingress.kubernetes.io/proxy-buffering'], 'off');
    }
  }
});

test('a field that the API does not have is found', async () => {
  const route = { apiVersion: 'gateway.networking.k8s.io/v1', kind: 'HTTPRoute', metadata: { name: 'bad' }, spec: { rules: [{ timeoutz: {} }] } };
  await assert.rejects(check(route), /timeoutz/);
});
