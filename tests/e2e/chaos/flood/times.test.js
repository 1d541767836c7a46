// Times in buckets say what the times themselves would say, to 2 %.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Times } from './times.js';

test('percentiles are right to 2 %, and never beyond the longest', () => {
  const times = new Times();
  for (let ms = 1; ms <= 10_000; ms++) times.add(ms);
  const { count, p50, p99, max } = times.summary;
  assert.equal(count, 10_000);
  assert.ok(Math.abs(p50 - 5_000) <= 100, String(p50));
  assert.ok(Math.abs(p99 - 9_900) <= 198 && p99 <= max, String(p99));
  assert.equal(max, 10_000);
});

test('without times there is nothing to say', () => {
  assert.deepEqual(new Times().summary, { count: 0, p50: null, p99: null, max: null });
});
