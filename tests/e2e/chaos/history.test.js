// The recorder: what it writes can be read, merged and judged. No gateway is needed.
import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';

import { countPlainly } from './check.js';
import { Recorder, mergeHistories, readHistory } from './history.js';
import { CatchUpMeter, ToldMeter } from './measure.js';

test('parts are merged in order of time, up to the end; a cut last line is left out', t => {
  // Goal: the checker gets one ordered file, also from a process that was killed. Method: two parts, interleaved.
  const directory = mkdtempSync(path.join(tmpdir(), 'history-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const [one, other] = ['one', 'other'].map(name => new Recorder(path.join(directory, name)));
  one.record('fault', { what: 'a' }, 1);
  other.record('fault', { what: 'b' }, 2);
  one.record('fault', { what: 'c' }, 3.5);
  one.record('end', {}, 4);
  other.record('fault', { what: 'after the end' }, 5);
  for (const recorder of [one, other]) recorder.close();
  appendFileSync(other.path, '{"t":6,"op":"fau');

  const merged = path.join(directory, 'merged');
  mergeHistories([one.path, other.path], merged);
  assert.deepEqual([...readHistory(merged)].map(({ t: at, what }) => [at, what]), [[1, 'a'], [2, 'b'], [3.5, 'c'], [4, undefined]]);
});

/** A client on one product, and an event that is accepted at e.2 after it joined. */
const FOLLOWED = [
  { op: 'open', t: 1, client: 'c', conn: 'c/1', pod: 'pod', transport: 'sse', announced: true },
  { op: 'join', t: 1, conn: 'c/1', product: 'p', since: null },
  { op: 'joined', t: 2, conn: 'c/1', product: 'p', result: 'joined', cursor: 'e.1' },
  { op: 'publish', t: 3, id: 7, product: 'p', type: 'price_update', request: 1 },
  { op: 'accepted', t: 4, request: 1, ids: [7], cursor: 'e.2', duplicate: false },
];
const END = { op: 'end', t: 9 };
const batch = (id, cursor, more) => ({
  op: 'batch', t: 5, conn: 'c/1', product: 'p', cursor, previous: 'e.1', replay: false, events: [[id, 'price_update']], ...more,
});
const resync = { op: 'resync', t: 5, conn: 'c/1', products: null, reason: 'gap', cursor: 'e.2' };

test('the plain count is content with an event, a later one of its type, or a word to refetch', () => {
  // Goal: the three ways of the promise. Method: the same accepted event, answered in each way.
  const later = [{ ...FOLLOWED[3], id: 8, request: 2 }, { ...FOLLOWED[4], ids: [8], request: 2, cursor: 'e.3' }];
  for (const ways of [[batch(7, 'e.2')], [...later, batch(8, 'e.3')], [resync], [batch(7, 'e.2', { events: [] })]]) {
    assert.deepEqual(countPlainly([...FOLLOWED, ...ways, END]), []);
  }
});

test('the plain count finds what is wrong', () => {
  // Goal: a count that finds nothing in a bad history proves nothing. Method: one history for each kind of anomaly.
  const wrong = [
    [/^lost/, []],
    [/^lost/, [{ ...resync, products: ['another'] }]],
    [/^phantom/, [batch(7, 'e.2'), batch(70, 'e.3')]],
    [/^went back/, [batch(7, 'e.2'), batch(7, 'e.2')]],
    [/^absent/, [batch(7, 'e.2'), { op: 'close', t: 6, conn: 'c/1' }]],
    [/^refused/, [batch(7, 'e.2'), { op: 'publish', t: 6, id: 8, product: 'p', type: 'price_update', request: 2 },
      { op: 'refused', t: 6, request: 2, status: 422 }, batch(8, 'e.3')]],
  ];
  for (const [says, ways] of wrong) {
    const [first, ...more] = countPlainly([...FOLLOWED, ...ways, END]);
    assert.match(first, says);
    assert.deepEqual(more, []);
  }
  assert.match(countPlainly([...FOLLOWED, batch(7, 'e.2')])[0], /no end/);
});

test('an event between two connections is owed to who says where it was, not to who does not', () => {
  // Goal: the promise to those who come back. Method: close, publish, join again with and without a position.
  const away = [
    { op: 'close', t: 5, conn: 'c/1' },
    { ...FOLLOWED[3], t: 6, id: 8, request: 2 },
    { ...FOLLOWED[4], t: 6, ids: [8], request: 2, cursor: 'e.3' },
  ];
  const back = since => [
    { ...FOLLOWED[0], t: 7, conn: 'c/2' },
    { op: 'join', t: 7, conn: 'c/2', product: 'p', since },
    { op: 'joined', t: 8, conn: 'c/2', product: 'p', result: 'up_to_date', cursor: 'e.3' },
  ];
  assert.match(countPlainly([...FOLLOWED, batch(7, 'e.2'), ...away, ...back('e.2'), END])[0], /^lost: c never got event 8/);
  assert.deepEqual(countPlainly([...FOLLOWED, batch(7, 'e.2'), ...away, ...back(null), END]), []);
});

test('the meters measure the way back and the word to refetch', () => {
  // Goal: the figures are those of their definition. Method: a history with round numbers.
  const history = [
    ...FOLLOWED, batch(7, 'e.2'),
    { op: 'fault', t: 10, what: 'lost', mark: 'began' },
    { op: 'close', t: 11, conn: 'c/1' },
    { op: 'fault', t: 20, what: 'back', mark: 'back' },
    { ...FOLLOWED[0], t: 21, conn: 'c/2' },
    { op: 'join', t: 21, conn: 'c/2', product: 'p', since: 'e.2' },
    { op: 'joined', t: 25, conn: 'c/2', product: 'p', result: 'resync_required', cursor: 'f.0' },
    { op: 'fault', t: 30, what: 'unnoticed', mark: 'began' },
    { ...END, t: 40 },
  ];
  const [catchUp, told] = [new CatchUpMeter(), new ToldMeter()];
  for (const operation of history) for (const meter of [catchUp, told]) meter.see(operation);
  assert.deepEqual([catchUp.fromConnect, catchUp.fromLoss], [[4], [14]]);
  assert.deepEqual(told.times, [4]);
  assert.deepEqual(told.rounds.map(({ concerned, untold }) => [concerned, untold]), [[1, 0], [1, 1]]);
});
