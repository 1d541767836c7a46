// The checks of `make check` took the defaults from the README; the binary says the same.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { fromHelp, fromTable } from '../support/settings.js';
import { ask, read } from '../support/tools.js';

test('the defaults that manifests are held against are those of the binary', () => {
  const told = fromHelp(ask('--help'));
  assert.ok(Object.keys(told).length > 30, `${Object.keys(told).length} settings`);
  assert.deepEqual(fromTable(read('README.md')), told);
});
