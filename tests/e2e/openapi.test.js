// The document at /openapi.json, and a live gateway that answers as it says.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { access } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { API_KEY, Gateway, environment } from './support/gateway.js';
import { request } from './support/http.js';
import { within } from './support/wait.js';

const FOLDER = fileURLToPath(new URL('../openapi/', import.meta.url));
const TOOL = `${FOLDER}.venv/bin/schemathesis`;
const FUZZING_SECS = 30;
const DEADLINE_MS = 3 * FUZZING_SECS * 1_000;   // The phases before, and a busy machine.

/** Every webhook is there, and each request may come from another address (tests/openapi/hooks.py). */
const SETTINGS = {
  TRUSTED_PROXIES: '127.0.0.0/8',
  WC_WEBHOOK_SECRET: '4fQmZ0xXr8VtB2nLk7Wd6yHs',
  SHOPIFY_WEBHOOK_SECRET: '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',
  META_APP_SECRET: '5d41402abc4b2a76b9719d911017c592',
  META_VERIFY_TOKEN: 'a-token-that-only-tests-know',
  STANDARD_WEBHOOK_SECRET: 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD',
};

let gateway;
before(async () => { gateway = await Gateway.start(SETTINGS); });
after(() => gateway.stop());

describe('/openapi.json', () => {
  test('holds when schemathesis tries the gateway', async () => {
    // Goal: no 5xx, answers as described, keys where they are asked for. Method: made-up requests, good and bad, to every
    // operation, for half a minute; always the same ones, until the document changes.
    await access(TOOL).catch(() => { throw new Error('schemathesis is not installed: make setup'); });
    const child = spawn(TOOL, ['run', `${gateway.url}/openapi.json`, '--max-time', String(FUZZING_SECS)], {
      cwd: FOLDER,
      env: environment({ SHELFCAST_KEY: API_KEY, PYTHONDONTWRITEBYTECODE: '1' }),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', text => { output += text; });
    const ended = new Promise((resolve, reject) => child.once('exit', resolve).once('error', reject));
    const code = await within(ended, 'schemathesis', DEADLINE_MS).finally(() => child.kill('SIGKILL'));
    assert.equal(code, 0, output);
    const [, tried] = /(\d+) generated/.exec(output) ?? [];
    assert.ok(tried > 500, output);
  });

  test('describes the answer of a stream, which schemathesis would wait for', async () => {
    // Goal: the headers it requires. Method: open one, look at its head, leave.
    const { paths, components } = (await request(gateway, '/openapi.json')).json;
    const described = paths['/api/events'].get.responses['200'];
    const leave = new AbortController();
    const answer = await fetch(`${gateway.url}/api/events?products=p1`, { signal: leave.signal });
    assert.equal(answer.status, 200);
    assert.ok(answer.headers.get('content-type') in described.content);
    for (const [name, header] of Object.entries(described.headers)) {
      const { schema } = header.$ref ? components.headers[header.$ref.split('/').pop()] : header;
      assert.equal(answer.headers.get(name), schema.const, name);
    }
    leave.abort();
  });
});
