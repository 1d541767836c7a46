// What would be published holds what it should and nothing else, says the same version everywhere, and the forge runs the
// same targets as everybody.
import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';

import { parse } from 'yaml';

import { read, REPOSITORY, run } from '../support/tools.js';

const CLIENT = path.join(REPOSITORY, 'client-ts');
const crateVersion = /^version = "(.*)"$/m.exec(read('Cargo.toml'))[1];
const client = JSON.parse(read('client-ts/package.json'));
const lines = text => text.split('\n').filter(line => line !== '').toSorted();

test('the crate has its sources, its licences and what a reader needs, and nothing else', () => {
  const packaged = lines(run('cargo', ['package', '--list', '--allow-dirty', '--package', 'shelfcast']));
  // The load benchmark is a crate of its own.
  const own = lines(run('git', ['ls-files', '--cached', '--others', '--exclude-standard', 'src', 'benches', ':!benches/load']));
  const beside = ['.cargo_vcs_info.json', 'ARCHITECTURE.md', 'CHANGELOG.md', 'Cargo.lock', 'Cargo.toml', 'Cargo.toml.orig', 'LICENSE-APACHE', 'LICENSE-MIT', 'README.md'];
  assert.deepEqual(packaged.filter(file => file !== '.cargo_vcs_info.json'), [...own, ...beside.slice(1)].toSorted());
});

test('the npm package has what it exports, its documents and licences, and nothing else', () => {
  const [{ files, name, version }] = JSON.parse(run('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: CLIENT }));
  const paths = files.map(file => file.path);
  const outside = paths.filter(file => !file.startsWith('dist/')).toSorted();
  assert.deepEqual(outside, ['CHANGELOG.md', 'LICENSE-APACHE', 'LICENSE-MIT', 'PROTOCOL.md', 'README.md', 'package.json']);
  for (const target of Object.values(client.exports)) {
    assert.ok(paths.includes(target.slice(2)), `${target}; \`npm run build\` in client-ts makes it`);
    if (target.endsWith('.js')) assert.ok(paths.includes(target.slice(2).replace(/\.js$/, '.d.ts')), `the types of ${target}`);
  }
  for (const file of paths) assert.doesNotMatch(file, /\.test\.|(^|\/)(test|bench|examples)\/|\.env|\.tgz/);
  assert.deepEqual([name, version], ['@shelfcast/client', client.version]);
});

test('gateway, image, manifests and client have one version, and the changelogs begin with it or with what comes next', () => {
  assert.equal(client.version, crateVersion);
  const overlay = parse(read('k8s/overlays/prod/kustomization.yaml'));
  assert.equal(overlay.images[0].newTag, crateVersion);
  for (const file of ['CHANGELOG.md', 'client-ts/CHANGELOG.md']) {
    const [, first] = /^## (.*)$/m.exec(read(file));
    assert.ok(first === 'Unreleased' || first.startsWith(crateVersion), `${file} begins with ${first}`);
  }
});

test('the forge runs make targets that there are, and nothing else', () => {
  const { jobs } = parse(read('.github/workflows/ci.yml'));
  const targets = new Set([...read('Makefile').matchAll(/^([a-z-]+):/gm)].map(([, target]) => target));
  const commands = Object.values(jobs).flatMap(({ steps }) => steps.flatMap(step => step.run ?? []));
  assert.deepEqual(commands.toSorted(), ['make audit', 'make check', 'make test']);
  for (const command of commands) assert.ok(targets.has(command.slice('make '.length)), command);
  for (const { 'timeout-minutes': minutes } of Object.values(jobs)) assert.ok(minutes > 0);
});
