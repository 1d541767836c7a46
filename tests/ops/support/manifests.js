// What kustomize makes of k8s/: every overlay, and the production one with each way in.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { parseAllDocuments } from 'yaml';

import { KUBECTL, REPOSITORY, run } from './tools.js';

/** Its own for each process: test files run at a time, and one may not read what another is writing. */
const VARIANTS = path.join(REPOSITORY, 'tests/ops/.tools/variants', String(process.pid));
process.once('exit', () => rmSync(VARIANTS, { recursive: true, force: true }));
const WAYS_IN = ['ingress-nginx-websocket', 'gateway-api', 'gateway-api-websocket'];

/** The names of all that is built. */
export const BUILDS = ['dev', 'prod', ...WAYS_IN.map(way => `prod with ${way}`)];

const built = new Map();

/** `{ text, objects }` of one of them, or of `base`. */
export function build(name) {
  if (!built.has(name)) {
    const [overlay, way] = name.split(' with ');
    const folder = overlay === 'base' ? 'k8s/base' : `k8s/overlays/${overlay}`;
    const text = run(KUBECTL, ['kustomize', way ? variant(overlay, way) : folder]);
    built.set(name, { text, objects: parseAllDocuments(text).map(document => document.toJS()) });
  }
  return built.get(name);
}

/** The overlay's own text with another way in, beside nothing else of it. */
function variant(overlay, way) {
  const folder = path.join(VARIANTS, way);
  mkdirSync(folder, { recursive: true });
  const own = run('cat', [`k8s/overlays/${overlay}/kustomization.yaml`]);
  const up = path.relative(folder, path.join(REPOSITORY, 'k8s/overlays', overlay));
  for (const [, file] of own.matchAll(/(?:- |path: )([\w-]+\.yaml)/g)) writeFileSync(path.join(folder, file), run('cat', [`k8s/overlays/${overlay}/${file}`]));
  const changed = own.replaceAll('components/ingress-nginx', `components/${way}`).replaceAll('- ../../', `- ${up}/../../`);
  writeFileSync(path.join(folder, 'kustomization.yaml'), changed);
  return folder;
}

/** The one object of that kind and name. */
export function one(objects, kind, name = 'shelfcast') {
  const found = objects.filter(object => object.kind === kind && (object.metadata.name === name || object.metadata.name.startsWith(`${name}-`)));
  if (found.length !== 1) throw new Error(`${found.length} objects are ${kind} ${name}`);
  return found[0];
}

/** The gateway's pod, its container, and every setting it gets, over the defaults. */
export function gateway(objects, defaults) {
  const deployment = one(objects, 'Deployment');
  const { spec: pod } = deployment.spec.template;
  const [container] = pod.containers;
  const own = Object.fromEntries(container.env.filter(({ value }) => value !== undefined).map(({ name, value }) => [name, value]));
  return { deployment, pod, container, settings: { ...defaults, ...one(objects, 'ConfigMap').data, ...own } };
}
