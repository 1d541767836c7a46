#!/usr/bin/env node
// Carries out the Dockerfile's steps in order without a Docker engine, each stage in a fresh root directory, and starts the
// result with nothing but what the image has.
//
//   tests/ops/image/run                    every step; minutes, because it builds (PROFILE=release: as shipped)
//   tests/ops/image/run --binary <path>    only the image itself, around a binary that was built already
//
// It needs root, Debian's packages and, for every step, mmdebstrap. Not shown: the real base images (Debian's packages and
// the toolchain of this machine stand for them), BuildKit's layers and cache, a container's network.
import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { fileURLToPath } from 'node:url';

import { freePort } from '../../e2e/support/gateway.js';
import { request } from '../../e2e/support/http.js';
import { until, within } from '../../e2e/support/wait.js';
import { Container } from './container.js';
import { stagesOf } from './dockerfile.js';
import { contextOf, Stage } from './steps.js';

const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url));
const DRAIN = { DRAIN_DELAY_MS: '200', DRAIN_SPREAD_MS: '0' };

const { values: { binary } } = parseArgs({ options: { binary: { type: 'string' } } });
if (process.getuid() !== 0) {
  console.log('image: SKIPPED, a new root directory takes root');
  process.exit(0);
}

const say = text => console.log(`image: ${text}`);
// Not in /tmp, which may be kept in memory.
const folder = mkdtempSync('/var/tmp/shelfcast-image-');
try {
  await start(build());
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** Every stage, or with a finished binary the last one alone; gives back the last. */
function build() {
  const args = { PROFILE: process.env.PROFILE ?? 'dev' };
  const stages = stagesOf(readFileSync(path.join(REPOSITORY, 'Dockerfile'), 'utf8'), args);
  const context = contextOf(REPOSITORY);
  const rootOf = name => path.join(folder, name.replaceAll(' ', '-'));
  if (binary) standIn(rootOf);
  let last;
  for (const stage of binary ? stages.slice(-1) : stages) {
    say(`--- ${stage.name}, from what stands for ${stage.base}`);
    last = new Stage(rootOf(stage.name), { context, args, sources: rootOf, say }).play(stage);
  }
  return last;
}

/** What the stages before the last would have left. */
function standIn(rootOf) {
  mkdirSync(path.join(rootOf('build'), 'out'), { recursive: true });
  copyFileSync(binary, path.join(rootOf('build'), 'out/shelfcast'));
  mkdirSync(path.join(rootOf('sbom'), 'out'), { recursive: true });
  writeFileSync(path.join(rootOf('sbom'), 'out/shelfcast.cdx.json'), '{"bomFormat":"CycloneDX","components":[{"name":"not made here"}]}');
}

/** Starts it, asks for its health in both ways, looks at what it may, and ends it. */
async function start(stage) {
  const gateway = { port: await freePort() };
  gateway.url = `http://127.0.0.1:${gateway.port}`;
  const env = { HOST: '127.0.0.1', PORT: String(gateway.port), INTERNAL_API_KEY: 'image-0b7e4c1f9a5d4e63b2c8f70d51a6c3', FRONTEND_URL: 'https://shop.example', ...DRAIN };
  const container = new Container(stage, env).start();
  process.on('exit', () => container.child.kill('SIGKILL'));
  assert.equal(stage.port, 3003, 'the port of the image is the default one');
  await Promise.race([until(() => container.check() === 0, 'a good health check'), container.ended.then(end => assert.fail(`it ended with ${end}`))]);
  const health = (await request(gateway, '/health')).json;
  assert.equal(health.status, 'healthy');
  assert.equal((await request(gateway, '/')).status, 404, 'production has no console');
  assert.deepEqual(container.state(), { uid: 65532, capabilities: '0000000000000000', noNewPrivileges: '1', isRootReadOnly: true });
  for (const tool of ['bin/sh', 'usr/bin/sh', 'usr/bin/env', 'usr/bin/apt-get']) assert.ok(!existsSync(path.join(stage.root, tool)), `${tool} is in the image`);
  const bom = JSON.parse(readFileSync(path.join(stage.root, 'usr/share/doc/shelfcast/shelfcast.cdx.json'), 'utf8'));
  assert.equal(bom.bomFormat, 'CycloneDX');
  assert.match(stage.labels['org.opencontainers.image.version'], /^\d+\.\d+\.\d+$/);

  const megabytes = Math.round(statSync(path.join(stage.root, stage.entrypoint[0])).size / 1e6);
  say(`GET /health: ${JSON.stringify(health)}`);
  say(`as ${JSON.stringify(container.state())}; the binary has ${megabytes} MB, the bill of materials ${bom.components.length} components`);
  assert.equal(await within(container.stop(), 'the end after SIGTERM', 10_000), 0);
  assert.notEqual(container.check(), 0, 'the health check of one that has ended');
  say('started read-only as 65532, was healthy, ended with 0');
}
