// Server-Sent Events: the stream as bytes, and the `eventsource` package through everything that can cut it.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Gateway } from './support/gateway.js';
import { request } from './support/http.js';
import { notify, post, price } from './support/notify.js';
import { CURSOR, assertBatch, assertEmptyBatch, assertResync, compact, fresh, position, prices } from './support/shapes.js';
import { batchOf, openStream, startWire, streamPath, watch } from './support/sse.js';

const PRODUCTS_MAX = 200;
const HEARTBEAT_DEADLINE_MS = 45_000;   // Every 15 s, and what a busy machine may add.

let gateway;
let foreignCursor;

before(async () => {
  const other = await Gateway.start();
  foreignCursor = (await notify(other, price('elsewhere', 1))).cursor;
  await other.stop();
  gateway = await Gateway.start({ BATCH_WINDOW_MS: '50' });
});

after(() => gateway.stop());

describe('The stream as it is on the wire', { concurrency: true }, () => {
  test('opens with a position and a retry time, and headers that keep proxies from holding it back', async t => {
    // Goal: a client can resume before anything happened. Method: open a stream and read its first block.
    const stream = await openStream(t, gateway, streamPath([fresh()]));
    assert.equal(stream.status, 200);
    assert.match(stream.headers['content-type'], /^text\/event-stream\b/);
    assert.equal(stream.headers['cache-control'], 'no-store');
    assert.equal(stream.headers['x-accel-buffering'], 'no');
    const opening = await stream.next('the opening block');
    assert.match(opening.retry, /^[1-9]\d*$/);
    assert.match(opening.id, CURSOR);
    assert.equal(opening.data, undefined);
  });

  test('carries a batch as a named event with an id', async t => {
    // Goal: name, id and the batch as in the contract. Method: two products on a stream, an event for each and for a third.
    const [first, second, stranger] = [fresh(), fresh(), fresh()];
    const stream = await openStream(t, gateway, streamPath([first, second]));
    await stream.next('the opening block');
    await notify(gateway, price(stranger, 0), price(first, 1), price(second, 2));
    for (const [id, value] of [[first, 1], [second, 2]]) {
      const block = await stream.nextBatch(id);
      assert.match(block.id, CURSOR);
      assertBatch(batchOf(block), id);
      assert.deepEqual(prices([batchOf(block)]), [value]);
    }
    assert.deepEqual(stream.unread.filter(batchOf), []);
  });

  test('passes data through byte for byte', async t => {
    // Goal: as over Socket.IO; line breaks between tokens, which would break the stream, are gone. Method: raw text in,
    // the text of the block out.
    const product = fresh();
    const data = '{ "newPrice" : 1.50,\r\n\t"z": 12345678901234567890, "text": "two  spaces \\n \\u00e9",\n "list": [ 1 , 2.0 ] }';
    const stream = await openStream(t, gateway, streamPath([product]));
    await stream.next('the opening block');
    assert.equal((await post(gateway, `{"productId":"${product}","type":"price_update","data":${data}}`)).status, 202);
    const block = await stream.nextBatch(product);
    assert.ok(compact(block.data).includes(`"data":${compact(data)}`), block.text);
  });

  for (const [how, path, headers] of [
    ['Last-Event-ID', (products, id) => streamPath(products), id => ({ 'last-event-id': id })],
    ['?lastEventId=', (products, id) => streamPath(products, `&lastEventId=${encodeURIComponent(id)}`), () => ({})],
  ]) {
    test(`resumes by ${how}`, async t => {
      // Goal: what came after the id arrives, marked as replay, then what is new. Method: leave after the first batch,
      // two more for two products, come back with the id of the first.
      const [first, second] = [fresh(), fresh()];
      const witness = await openStream(t, gateway, streamPath([first, second]));
      await witness.next('the opening block');
      await notify(gateway, price(first, 1));
      const { id } = await witness.nextBatch(first);
      await notify(gateway, price(first, 2), price(second, 3));
      await witness.nextBatch(first);
      await witness.nextBatch(second);

      const stream = await openStream(t, gateway, path([first, second], id), headers(id));
      const missed = [batchOf(await stream.nextBatch(first)), batchOf(await stream.nextBatch(second))];
      assertBatch(missed[0], first, { replay: true });
      assertBatch(missed[1], second, { replay: true });
      assert.equal(prices([missed[0]]).at(-1), 2);
      assert.equal(prices([missed[1]]).at(-1), 3);
      await notify(gateway, price(first, 4));
      const live = batchOf(await stream.next('a batch that is no replay', block => batchOf(block)?.replay === undefined && batchOf(block)?.count > 0));
      assertBatch(live, first);
      assert.deepEqual(prices([live]), [4]);
    });

    test(`tells by ${how} to refetch when the position is of another log`, async t => {
      // Goal: a plain client gets an empty batch for each product, an announced one resync_required. Method: a cursor
      // of another gateway, both ways.
      const products = [fresh(), fresh()];
      const plain = await openStream(t, gateway, path(products, foreignCursor), headers(foreignCursor));
      for (const id of products) assertEmptyBatch(batchOf(await plain.nextBatch(id)), id);

      const announced = await openStream(t, gateway, `${path(products, foreignCursor)}&features=resync`, headers(foreignCursor));
      const missing = new Set(products);
      while (missing.size > 0) {
        const word = JSON.parse((await announced.next('resync_required', block => block.event === 'resync_required')).data);
        assertResync(word, word.productIds, ['log_reset']);
        // Without productIds it is about everything the stream tracks.
        for (const id of word.productIds ?? products) missing.delete(id);
      }
      assert.deepEqual(announced.unread.filter(batchOf), []);
    });
  }

  test('beats every 15 s with the position', async t => {
    // Goal: the id goes on when nothing happens: without data for a plain client, as `position` for an announced one.
    // Method: open both and wait for the block after the opening.
    const product = fresh();
    const plain = await openStream(t, gateway, streamPath([product]));
    const announced = await openStream(t, gateway, streamPath([product], '&features=resync'));
    await plain.next('the opening block');
    const beat = await plain.next('a heartbeat', block => block.id !== undefined, HEARTBEAT_DEADLINE_MS);
    assert.match(beat.id, CURSOR);
    assert.equal(beat.data, undefined);
    const word = await announced.next('position', block => block.event === 'position', HEARTBEAT_DEADLINE_MS);
    assert.match(word.id, CURSOR);
    assert.equal(JSON.parse(word.data).cursor, word.id);
  });

  for (const [kind, path] of [
    ['without products', '/api/events'],
    ['with an empty list of products', '/api/events?products='],
    ['for something that is no product id', '/api/events?products=good,two%20words'],
    ['for an id that is too long', streamPath(['x'.repeat(129)])],
    [`for ${PRODUCTS_MAX + 1} products`, streamPath(Array.from({ length: PRODUCTS_MAX + 1 }, (_, i) => `p${i}`))],
  ]) {
    test(`is refused ${kind}`, async () => {
      // Goal: a 4xx problem with a code, not a stream that never says anything. Method: one request.
      const answer = await request(gateway, path);
      assert.ok(answer.status >= 400 && answer.status < 500, String(answer.status));
      assert.match(answer.headers['content-type'] ?? '', /^application\/problem\+json\b/);
      assert.match(answer.json?.code ?? '', /^[a-z_]+$/, answer.text);
    });
  }

  test(`serves ${PRODUCTS_MAX} products`, async t => {
    // Goal: the cap is where it is said to be. Method: exactly as many as allowed; the last of them gets its batch.
    const products = Array.from({ length: PRODUCTS_MAX }, () => fresh('p'));
    const stream = await openStream(t, gateway, streamPath(products));
    assert.equal(stream.status, 200);
    await stream.next('the opening block');
    await notify(gateway, price(products.at(-1), 1));
    assertBatch(batchOf(await stream.nextBatch(products.at(-1))), products.at(-1));
  });
});

describe('The eventsource package', { concurrency: true }, () => {
  test('gets batches by their name', async t => {
    // Goal: an ordinary EventSource needs nothing but addEventListener. Method: listen, publish twice.
    const product = fresh();
    const shop = watch(t, `${gateway.url}${streamPath([product])}`);
    await shop.next('open');
    for (const value of [1, 2]) {
      await notify(gateway, price(product, value));
      const { id, body } = await shop.nextBatch(product);
      assert.match(id, CURSOR);
      assertBatch(body, product);
      assert.deepEqual(prices([body]), [value]);
    }
    assert.deepEqual(shop.unread('message'), []);
    assert.deepEqual(shop.unread('error'), []);
  });

  test('misses nothing when its connection is cut', async t => {
    // Goal: it reconnects by itself and gets what it missed. Method: a wire between that is cut while two products
    // change; a witness shows that the batches have left before the wire is mended.
    const [first, second] = [fresh(), fresh()];
    const wire = await startWire(t, gateway);
    const shop = watch(t, `${wire.url}${streamPath([first, second])}`);
    const witness = await openStream(t, gateway, streamPath([first, second]));
    await witness.next('the opening block');
    await shop.next('open');
    await notify(gateway, price(first, 1));
    assertBatch((await shop.nextBatch(first)).body, first);
    await witness.nextBatch(first);

    wire.cut();
    await shop.next('error');
    await notify(gateway, price(first, 2), price(second, 3));
    await witness.nextBatch(first);
    await witness.nextBatch(second);
    wire.mend();

    const missed = [(await shop.nextBatch(first)).body, (await shop.nextBatch(second)).body];
    assertBatch(missed[0], first, { replay: true });
    assertBatch(missed[1], second, { replay: true });
    assert.equal(prices([missed[0]]).at(-1), 2);
    assert.equal(prices([missed[1]]).at(-1), 3);
    await notify(gateway, price(second, 4));
    const live = await shop.next('batched_product_update', batch => !batch.replay);
    assert.deepEqual(prices([live.body]), [4]);
  });

  for (const [how, end] of [['is killed', gateway => gateway.kill()], ['is shut down', gateway => gateway.stop()]]) {
    test(`is told to refetch when the gateway ${how} and starts anew`, async t => {
      // Goal: a new log cannot say what was missed, so it says refetch: to a plain client with an empty batch for each
      // product, to an announced one with resync_required; then life goes on. Method: end the gateway, start it on the
      // same port, touch nothing else.
      const mortal = await Gateway.start({ BATCH_WINDOW_MS: '50' });
      t.after(() => mortal.kill());
      const [seen, unseen] = [fresh(), fresh()];
      const plain = watch(t, `${mortal.url}${streamPath([seen, unseen])}`);
      const announced = watch(t, `${mortal.url}${streamPath([seen, unseen], '&features=resync')}`);
      await plain.next('open');
      await announced.next('open');
      await notify(mortal, price(seen, 1));
      const before = (await plain.nextBatch(seen)).body;
      assertBatch(before, seen);
      assertBatch((await announced.nextBatch(seen)).body, seen);

      await end(mortal);
      await mortal.start();

      for (const id of [seen, unseen]) {
        const { body } = await plain.nextBatch(id);
        assertEmptyBatch(body, id);
        assert.notEqual(position(body.cursor).epoch, position(before.cursor).epoch);
      }
      const missing = new Set([seen, unseen]);
      while (missing.size > 0) {
        const { body } = await announced.next('resync_required');
        assertResync(body, body.productIds, ['log_reset']);
        for (const id of body.productIds ?? [seen, unseen]) missing.delete(id);
      }

      await notify(mortal, price(seen, 2));
      for (const shop of [plain, announced]) {
        const { body } = await shop.nextBatch(seen);
        assertBatch(body, seen);
        assert.deepEqual(prices([body]), [2]);
      }
      assert.deepEqual(plain.unread('resync_required'), []);
    });
  }
});
