// The shapes of the contract, and how to read them.
import assert from 'node:assert/strict';

const BATCH_FIELDS = ['count', 'cursor', 'events', 'previousCursor', 'productId', 'spreadMs', 'timestamp'];
const EVENT_FIELDS = ['data', 'productId', 'timestamp', 'type'];

export const LOG_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/;
export const CURSOR = /^[^.\s]+\.\d+$/;
export const RESYNC_REASONS = ['log_reset', 'expired', 'gap', 'slow'];

/** A cursor taken apart. */
export function position(cursor) {
  assert.match(cursor, CURSOR);
  const dot = cursor.lastIndexOf('.');
  return { epoch: cursor.slice(0, dot), n: Number(cursor.slice(dot + 1)) };
}

/** A product id that no other test uses. */
export const fresh = (() => {
  let count = 0;
  return (name = 'product') => `${name}-${++count}`;
})();

/** A batch has these fields and no others; one that answers a resume also has `replay: true`. */
export function assertBatch(batch, productId, { replay = false } = {}) {
  assert.deepEqual(Object.keys(batch).sort(), [...BATCH_FIELDS, ...(replay ? ['replay'] : [])].sort());
  if (replay) assert.equal(batch.replay, true);
  assert.equal(batch.productId, productId);
  assert.equal(batch.count, batch.events.length);
  assert.ok(batch.count > 0, 'an empty batch means something else');
  assert.match(batch.timestamp, LOG_TIME);
  assert.equal(position(batch.cursor).epoch, position(batch.previousCursor).epoch);
  assert.ok(position(batch.previousCursor).n < position(batch.cursor).n);
  for (const event of batch.events) {
    assert.deepEqual(Object.keys(event).sort(), EVENT_FIELDS);
    assert.equal(event.productId, productId);
    assert.ok(!Number.isNaN(Date.parse(event.timestamp)), event.timestamp);
  }
}

/** What a plain client gets in place of `resync_required`. */
export function assertEmptyBatch(batch, productId) {
  const { replay, ...rest } = batch;   // It answers a resume, so it may say so.
  assert.ok(replay === undefined || replay === true);
  assert.deepEqual(Object.keys(rest).sort(), BATCH_FIELDS);
  assert.equal(batch.productId, productId);
  assert.deepEqual(batch.events, []);
  assert.equal(batch.count, 0);
  assert.match(batch.cursor, CURSOR);
  assert.equal(batch.cursor, batch.previousCursor);
  assert.match(batch.timestamp, LOG_TIME);
  assert.equal(typeof batch.spreadMs, 'number');
}

/** The word to refetch for announced clients. `productIds` undefined: all that the client tracks. */
export function assertResync(word, productIds, reasons = RESYNC_REASONS) {
  const fields = ['cursor', 'reason', 'spreadMs', ...(productIds ? ['productIds'] : [])].sort();
  assert.deepEqual(Object.keys(word).sort(), fields);
  assert.ok(reasons.includes(word.reason), word.reason);
  if (productIds) assert.deepEqual([...word.productIds].sort(), [...productIds].sort());
  assert.match(word.cursor, CURSOR);
  assert.equal(typeof word.spreadMs, 'number');
}

export const prices = batches => batches.flatMap(batch => batch.events.map(event => event.data.newPrice));

/** JSON without the white space between its tokens; what is inside of strings stays. */
export const compact = json => json.replace(/("(?:[^"\\]|\\.)*")|\s+/g, '$1');
