// Socket.IO as a storefront meets it: every event of the contract, with the real client in two versions over three roads.
//
// Every test here has a product of its own, so that nothing but its own events can reach it.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Client, ROADS, VERSIONS, connect } from './support/client.js';
import { Gateway } from './support/gateway.js';
import { notify, post, price } from './support/notify.js';
import { CURSOR, assertBatch, assertEmptyBatch, assertResync, compact, fresh, position, prices } from './support/shapes.js';

const PRODUCTS_MAX = 200;

let gateway;
let foreignCursor;   // A cursor of another log, as a client has it that was away while the gateway started anew.

before(async () => {
  const other = await Gateway.start();
  foreignCursor = (await notify(other, price('elsewhere', 1))).cursor;
  await other.stop();
  gateway = await Gateway.start({ BATCH_WINDOW_MS: '50' });
});

after(() => gateway.stop());

for (const version of Object.keys(VERSIONS)) {
  for (const road of Object.keys(ROADS)) {
    describe(`socket.io-client ${version} over ${road}`, () => {
      const open = (t, options) => connect(t, gateway, { version, road, ...options });
      const announced = { features: ['resync'] };

      // ---- Connecting ----

      test('says who is connected and where the log stands', async t => {
        // Goal: `connected` has every field. Method: connect without a token and read it.
        const client = await open(t);
        const hello = await client.next('connected');
        assert.deepEqual(Object.keys(hello).sort(), ['authenticated', 'cursor', 'features', 'serverTime', 'socketId']);
        assert.equal(hello.socketId, client.socket.id);
        assert.equal(hello.authenticated, false);
        assert.match(hello.cursor, CURSOR);
        assert.ok(!Number.isNaN(Date.parse(hello.serverTime)), hello.serverTime);
        assert.ok(hello.features.includes('resync'), String(hello.features));
        assert.equal(client.transport, road === 'polling' ? 'polling' : 'websocket');
      });

      test('keeps over the upgrade what was joined right at the start', async t => {
        // Goal: nothing is lost on the way from polling to WebSocket. Method: join before the connection stands, wait
        // until it stands (and is upgraded), publish.
        const product = fresh();
        const client = new Client(gateway, { version, road });
        t.after(() => client.close());
        const joining = client.join(product);
        await client.ready();
        assert.deepEqual((await joining).joined, [product]);
        await notify(gateway, price(product, 1));
        assertBatch(await client.nextBatch(product), product);
      });

      // ---- Joining and leaving ----

      test('joins one product by its name', async t => {
        // Goal: the acknowledgement has every field and the join holds. Method: join, publish, read.
        const product = fresh();
        const client = await open(t);
        const ack = await client.join(product);
        assert.match(ack.cursor, CURSOR);
        assert.deepEqual(ack, { ok: true, joined: [product], refused: {}, cursor: ack.cursor });
        await notify(gateway, price(product, 1));
        assertBatch(await client.nextBatch(product), product);
      });

      test('joins a product with a numeric id', async t => {
        // Goal: a number is the decimal string. Method: join 41 and publish for 41, both as numbers.
        const number = Number(fresh('').slice(1)) + 4_100_000;
        const client = await open(t);
        assert.deepEqual((await client.join(number)).joined, [String(number)]);
        await notify(gateway, price(number, 1));
        assertBatch(await client.nextBatch(String(number)), String(number));
      });

      test('joins several products at once', async t => {
        // Goal: an array joins each. Method: join two strings and a number, publish for each in one request.
        const number = Number(fresh('').slice(1)) + 4_200_000;
        const products = [fresh(), fresh(), String(number)];
        const client = await open(t);
        const ack = await client.join([products[0], products[1], number]);
        assert.equal(ack.ok, true);
        assert.deepEqual([...ack.joined].sort(), [...products].sort());
        assert.deepEqual(ack.refused, {});
        await notify(gateway, ...products.map(id => price(id, 1)));
        for (const id of products) assertBatch(await client.nextBatch(id), id);
      });

      test('takes every product id that the contract allows', async t => {
        // Goal: the longest id and all its characters pass. Method: join, publish, read.
        const punctuated = `${fresh()}.A_z:~-9`;
        const longest = `${fresh()}-`.padEnd(128, 'x');
        const client = await open(t);
        assert.equal((await client.join([punctuated, longest])).ok, true);
        await notify(gateway, price(punctuated, 1), price(longest, 2));
        assertBatch(await client.nextBatch(punctuated), punctuated);
        assertBatch(await client.nextBatch(longest), longest);
      });

      test('refuses what is no product id, in the acknowledgement and as an error', async t => {
        // Goal: both say invalid_product_id, and the good id beside a bad one joins. Method: a bad id alone, then mixed.
        const client = await open(t);
        for (const bad of ['', 'two words', 'a/b', 'café', 'x'.repeat(129)]) {
          const ack = await client.join(bad);
          assert.equal(ack.ok, false, bad);
          assert.deepEqual(ack.joined, []);
          assert.deepEqual(Object.values(ack.refused), ['invalid_product_id'], bad);
          const error = await client.next('error');
          assert.equal(error.code, 'invalid_product_id');
          assert.ok(error.message.length > 0);
        }
        const product = fresh();
        const ack = await client.join([product, 'two words']);
        assert.equal(ack.ok, false);
        assert.deepEqual(ack.joined, [product]);
        assert.deepEqual(ack.refused, { 'two words': 'invalid_product_id' });
        const error = await client.next('error');
        assert.equal(error.productId, 'two words');
        await notify(gateway, price(product, 1));
        assertBatch(await client.nextBatch(product), product);
      });

      test('refuses what is not even a string or a number', async t => {
        // Goal: no argument of any kind is taken for an id or ends the connection. Method: send each, then join properly.
        const client = await open(t);
        for (const args of [[], [null], [{}], [true], [[['nested']]]]) {
          const ack = await client.ask('join_product', ...args);
          assert.equal(ack.ok, false, JSON.stringify(args));
          const error = await client.next('error');
          assert.ok(['bad_request', 'invalid_product_id'].includes(error.code), JSON.stringify(error));
        }
        assert.equal((await client.join(fresh())).ok, true);
      });

      test(`refuses the product beyond ${PRODUCTS_MAX} while the rest join`, async t => {
        // Goal: the cap holds, for an array and for a later join, and leaving makes room. Method: ask for one too many.
        const products = Array.from({ length: PRODUCTS_MAX + 1 }, () => fresh('p'));
        const [last] = products.slice(-1);
        const client = await open(t);
        const ack = await client.join(products);
        assert.deepEqual([...ack.joined].sort(), products.slice(0, -1).sort());
        assert.deepEqual(ack.refused, { [last]: 'too_many_products' });
        const error = await client.next('error');
        assert.equal(error.code, 'too_many_products');
        assert.deepEqual((await client.join(last)).refused, { [last]: 'too_many_products' });
        assert.equal((await client.next('error')).code, 'too_many_products');
        await notify(gateway, price(products[0], 1), price(last, 2));
        assertBatch(await client.nextBatch(products[0]), products[0]);
        await client.settle();
        assert.deepEqual(client.unread('batched_product_update'), []);
        await client.leave(products[0]);
        assert.deepEqual((await client.join(last)).joined, [last]);
      });

      test('sends nothing to those who did not join', async t => {
        // Goal: a product's events go to its members only. Method: a member and a stranger; when the member has the
        // batch, the stranger asks something, and has nothing when the answer is there.
        const [product, other] = [fresh(), fresh()];
        const [member, stranger] = [await open(t), await open(t)];
        await member.join(product);
        await stranger.join(other);
        await notify(gateway, price(product, 1));
        assertBatch(await member.nextBatch(product), product);
        await stranger.settle();
        assert.deepEqual(stranger.unread('batched_product_update'), []);
      });

      test('sends nothing more after leaving', async t => {
        // Goal: leave_product, by id and by array, is acknowledged and holds. Method: as above, with one who left.
        const [first, second, kept] = [fresh(), fresh(), fresh()];
        const [member, leaver] = [await open(t), await open(t)];
        await member.join([first, second]);
        await leaver.join([first, second, kept]);
        assert.deepEqual(await leaver.leave(first), { ok: true });
        assert.deepEqual(await leaver.leave([second]), { ok: true });
        await notify(gateway, price(first, 1), price(second, 2), price(kept, 3));
        assertBatch(await member.nextBatch(first), first);
        assertBatch(await member.nextBatch(second), second);
        assertBatch(await leaver.nextBatch(kept), kept);
        await leaver.settle();
        assert.deepEqual(leaver.unread('batched_product_update'), []);
      });

      // ---- Batches ----

      test('chains the batches of a product', async t => {
        // Goal: fields, count, cursors and order are as in the contract. Method: three events, then one more, for a
        // product that was never heard of before.
        const product = fresh();
        const client = await open(t);
        await client.join(product);
        const given = { ...price(product, 2), timestamp: '2026-01-02T03:04:05.678Z' };
        const answer = await notify(gateway, price(product, 1), given, price(product, 3));
        const first = await client.nextBatch(product);
        assertBatch(first, product);
        assert.equal(first.count, 3);
        assert.deepEqual(prices([first]), [1, 2, 3]);
        assert.deepEqual(first.events.map(event => event.type), Array(3).fill('price_update'));
        assert.equal(Date.parse(first.events[1].timestamp), Date.parse(given.timestamp));
        assert.equal(first.spreadMs, 0);
        assert.equal(first.cursor, answer.cursor);
        assert.equal(first.previousCursor, `${position(first.cursor).epoch}.0`);

        const next = await notify(gateway, price(product, 4));
        const second = await client.nextBatch(product);
        assertBatch(second, product);
        assert.equal(second.cursor, next.cursor);
        assert.equal(second.previousCursor, first.cursor);
        assert.ok(second.timestamp > first.timestamp);
      });

      test('passes data through byte for byte', async t => {
        // Goal: nobody re-writes a number, an escape or the order of fields. Method: publish raw text with everything
        // that a parser would change, and look at the text of the packet itself.
        const product = fresh();
        const data = String.raw`{ "newPrice" : 1.50, "z": 12345678901234567890, "a": 1E5,
          "tiny": 0.10e-7, "text": "two  spaces \u00e9 \/ \" }", "list": [ 1 , 2.0 ], "zero": -0 }`;
        const client = await open(t);
        await client.join(product);
        const answer = await post(gateway, `{"productId":"${product}","type":"price_update","data":${data}}`);
        assert.equal(answer.status, 202, answer.text);
        await client.nextBatch(product);
        const packet = client.packets.find(text => text.includes(`"${product}"`) && text.includes('batched_product_update'));
        assert.ok(compact(packet).includes(`"data":${compact(data)}`), packet);
      });

      test('carries every script and sign', async t => {
        // Goal: text arrives as it was sent. Method: names with accents, CJK, Arabic, emoji and line separators.
        const product = fresh();
        const data = { name: 'Étagère 棚 رف 🛒\u2028\u2029\u0000', '键': 'ключ', quote: '"\\' };
        const client = await open(t);
        await client.join(product);
        await notify(gateway, { productId: product, type: 'product_update', data });
        assert.deepEqual((await client.nextBatch(product)).events[0].data, data);
      });

      test('carries the largest batch that one request can make', async t => {
        // Goal: no transport has a limit below that of the gateway. Method: 15 events of 15 KiB each.
        const product = fresh();
        const client = await open(t);
        await client.join(product);
        const fill = 'x'.repeat(15 * 1024);
        await notify(gateway, ...Array.from({ length: 15 }, (_, i) => ({ ...price(product, i), data: { newPrice: i, fill } })));
        const batch = await client.nextBatch(product);
        assertBatch(batch, product);
        assert.deepEqual(prices([batch]), Array.from({ length: 15 }, (_, i) => i));
        assert.ok(batch.events.every(event => event.data.fill === fill));
      });

      test(`carries ${PRODUCTS_MAX} batches that leave at once`, async t => {
        // Goal: a sale over a whole page of products loses none. Method: join as many as allowed, one event for each.
        const products = Array.from({ length: PRODUCTS_MAX }, () => fresh('p'));
        const client = await open(t);
        assert.equal((await client.join(products)).ok, true);
        await notify(gateway, ...products.map(id => price(id, 1)));
        for (const id of products) assertBatch(await client.nextBatch(id), id);
        await client.settle();
        assert.deepEqual(client.unread('batched_product_update'), []);
      });

      // ---- Coming back: join_products ----

      test('joins several products that were never seen', async t => {
        // Goal: null just joins. Method: join_products with nulls, publish for each.
        const products = [fresh(), fresh()];
        const client = await open(t, announced);
        const ack = await client.joinAll({ [products[0]]: null, [products[1]]: null });
        assert.match(ack.cursor, CURSOR);
        assert.deepEqual(ack, { ok: true, cursor: ack.cursor, results: { [products[0]]: 'joined', [products[1]]: 'joined' } });
        await notify(gateway, ...products.map(id => price(id, 1)));
        for (const id of products) assertBatch(await client.nextBatch(id), id);
      });

      test('tells one who missed nothing that it is up to date', async t => {
        // Goal: neither batches nor a word to refetch. Method: come back with the newest cursor, and with the newest
        // batch timestamp.
        const [product, other] = [fresh(), fresh()];
        const [batch] = await published(t, product, [1]);
        const [otherBatch] = await published(t, other, [1]);
        const client = await open(t, announced);
        const ack = await client.joinAll({ [product]: batch.cursor, [other]: otherBatch.timestamp });
        assert.equal(ack.ok, true);
        assert.deepEqual(ack.results, { [product]: 'up_to_date', [other]: 'up_to_date' });
        await client.settle();
        assert.deepEqual(client.unread('batched_product_update'), []);
        assert.deepEqual(client.unread('resync_required'), []);
        await notify(gateway, price(product, 2));
        assert.deepEqual(prices([await client.nextBatch(product)]), [2]);
      });

      test('gives one who comes back what it missed, then what is new', async t => {
        // Goal: every missed event, marked as replay, before the acknowledgement; then the chain goes on. Method: three
        // batches, come back with the cursor (and, for another product, the timestamp) of the first.
        const [product, other] = [fresh(), fresh()];
        const batches = await published(t, product, [1, 2, 3]);
        const others = await published(t, other, [7, 8]);
        const client = await open(t, announced);
        const ack = await client.joinAll({ [product]: batches[0].cursor, [other]: others[0].timestamp });
        assert.equal(ack.ok, true);
        assert.deepEqual(ack.results, { [product]: 'events', [other]: 'events' });
        const replayed = arrivedBefore(client, 'join_products');
        for (const batch of replayed) assertBatch(batch, batch.productId, { replay: true });
        assert.deepEqual(prices(replayed.filter(batch => batch.productId === product)).slice(-2), [2, 3]);
        assert.deepEqual(prices(replayed.filter(batch => batch.productId === other)).slice(-1), [8]);

        await notify(gateway, price(product, 4));
        const live = await client.next('batched_product_update', batch => !batch.replay);
        assertBatch(live, product);
        assert.deepEqual(prices([live]), [4]);
        assert.equal(live.previousCursor, batches[2].cursor);
      });

      test('tells an announced client to refetch when its cursor is of another log', async t => {
        // Goal: never "up to date" for a foreign epoch; it is joined all the same. Method: a cursor of another gateway.
        const products = [fresh(), fresh()];
        const client = await open(t, announced);
        const ack = await client.joinAll({ [products[0]]: foreignCursor, [products[1]]: foreignCursor });
        assert.deepEqual(ack.results, { [products[0]]: 'resync_required', [products[1]]: 'resync_required' });
        await assertToldToRefetch(client, products, ['log_reset']);
        await client.settle();
        assert.deepEqual(client.unread('batched_product_update'), []);
        await notify(gateway, price(products[0], 1));
        assertBatch(await client.nextBatch(products[0]), products[0]);
      });

      test('tells a plain client to refetch with an empty batch for each product', async t => {
        // Goal: who knows only the original events refetches too. Method: the same without announcing anything.
        const products = [fresh(), fresh()];
        const client = await open(t);
        const ack = await client.joinAll({ [products[0]]: foreignCursor, [products[1]]: foreignCursor });
        assert.deepEqual(ack.results, { [products[0]]: 'resync_required', [products[1]]: 'resync_required' });
        for (const id of products) assertEmptyBatch(await client.nextBatch(id), id);
        await client.settle();
        assert.deepEqual(client.unread('resync_required'), []);
        await notify(gateway, price(products[0], 1));
        assertBatch(await client.nextBatch(products[0]), products[0]);
      });

      test('answers each product of join_products by itself', async t => {
        // Goal: one bad id spoils nothing. Method: a new product beside something that is no id.
        const product = fresh();
        const client = await open(t, announced);
        const ack = await client.joinAll({ [product]: null, 'two words': null });
        assert.deepEqual(ack.results, { [product]: 'joined', 'two words': 'invalid_product_id' });
        assert.equal((await client.next('error')).code, 'invalid_product_id');
        await notify(gateway, price(product, 1));
        assertBatch(await client.nextBatch(product), product);
      });

      // ---- Coming back: request_sync ----

      test('answers request_sync with what was missed', async t => {
        // Goal: cursor and timestamp are exact, more arguments do no harm, and the events come before the
        // acknowledgement. Method: two batches; ask from the first, then from the second.
        const product = fresh();
        const [first, second] = await published(t, product, [1, 2]);
        const client = await open(t, announced);
        await client.join(product);
        for (const args of [[product, first.cursor], [product, first.timestamp], [product, first.cursor, 'more', { and: 'more' }]]) {
          client.arrivals.length = 0;
          const ack = await client.sync(...args);
          assert.match(ack.cursor, CURSOR);
          assert.deepEqual(ack, { ok: true, status: 'events', cursor: ack.cursor }, JSON.stringify(args));
          const replayed = arrivedBefore(client, 'request_sync');
          for (const batch of replayed) assertBatch(batch, product, { replay: true });
          assert.deepEqual(prices(replayed).slice(-1), [2]);
        }
        for (const since of [second.cursor, second.timestamp]) {
          client.arrivals.length = 0;
          assert.equal((await client.sync(product, since)).status, 'up_to_date');
          assert.deepEqual(arrivedBefore(client, 'request_sync'), []);
        }
        assert.deepEqual(client.unread('resync_required'), []);
      });

      test('tells an announced client to refetch when request_sync cannot be answered', async t => {
        // Goal: whatever names no place in this log is answered resync_required. Method: one request for each kind.
        const product = fresh();
        await published(t, product, [1]);
        const client = await open(t, announced);
        await client.join(product);
        const inAnHour = new Date(Date.now() + 3_600_000).toISOString();
        for (const more of [[], [undefined], ['yesterday'], [inAnHour], [foreignCursor], ['.'], [{}]]) {
          const ack = await client.sync(product, ...more);
          assert.deepEqual(ack, { ok: true, status: 'resync_required', cursor: ack.cursor }, JSON.stringify(more));
          await assertToldToRefetch(client, [product], more[0] === foreignCursor ? ['log_reset'] : undefined);
        }
        await client.settle();
        assert.deepEqual(client.unread('batched_product_update'), []);
      });

      test('sends a plain client an empty batch when request_sync cannot be answered', async t => {
        // Goal and method: as above, for a client that announced nothing; and events as for everyone when it can.
        const product = fresh();
        const [first] = await published(t, product, [1, 2]);
        const client = await open(t);
        await client.join(product);
        for (const more of [[], [undefined], ['yesterday'], [foreignCursor]]) {
          const ack = await client.sync(product, ...more);
          assert.deepEqual(ack, { ok: true, status: 'resync_required', cursor: ack.cursor }, JSON.stringify(more));
          assertEmptyBatch(await client.nextBatch(product), product);
        }
        assert.equal((await client.sync(product, first.cursor)).status, 'events');
        assert.deepEqual(prices([await client.nextBatch(product)]).slice(-1), [2]);
        await client.settle();
        assert.deepEqual(client.unread('resync_required'), []);
      });

      test('refuses request_sync without a product', async t => {
        // Goal: a code in the acknowledgement and the same as an error. Method: no argument, then a bad one.
        const client = await open(t, announced);
        assert.deepEqual(await client.sync(), { ok: false, code: 'bad_request' });
        assert.equal((await client.next('error')).code, 'bad_request');
        assert.deepEqual(await client.sync('two words', foreignCursor), { ok: false, code: 'invalid_product_id' });
        assert.equal((await client.next('error')).code, 'invalid_product_id');
      });

      // ---- The rest ----

      test('answers ping with pong', async t => {
        // Goal: an application ping, with nothing in it, is answered once, with nothing in it. Method: one ping.
        const client = await open(t);
        client.send('ping');
        assert.deepEqual(await client.next('pong'), []);
        await client.settle();
        assert.deepEqual(client.unread('pong'), []);
      });

      test('answers an unknown event with an error', async t => {
        // Goal: neither silence nor a lost connection. Method: an event of no meaning, then a join.
        const client = await open(t);
        client.send('no_such_event', { a: 1 }, 'b');
        const error = await client.next('error');
        assert.equal(error.code, 'bad_request');
        assert.ok(error.message.length > 0);
        assert.equal((await client.join(fresh())).ok, true);
      });
    });
  }
}

describe('What takes its time', { concurrency: true }, () => {
  test('an announced client hears every 20 s where its products stand', async t => {
    // Goal: `position` lists what changed, so that a hole at the very end is found. Method: one event, then wait.
    const [product, quiet] = [fresh(), fresh()];
    const client = await connect(t, gateway, { features: ['resync'] });
    await client.join([product, quiet]);
    await notify(gateway, price(product, 1));
    const batch = await client.nextBatch(product);
    const word = await client.next('position', ({ products }) => Object.keys(products).length > 0, 45_000);
    assert.deepEqual(word, { cursor: word.cursor, products: { [product]: batch.cursor } });
    assert.match(word.cursor, CURSOR);
  });

  test('a plain client hears nothing it does not know', async t => {
    // Goal: no `position` for one who announced nothing. Method: wait until an announced neighbour has had one.
    const product = fresh();
    const plain = await connect(t, gateway);
    const neighbour = await connect(t, gateway, { features: ['resync'] });
    await plain.join(product);
    await neighbour.join(product);
    await notify(gateway, price(product, 1));
    await neighbour.next('position', undefined, 45_000);
    await plain.settle();
    assert.deepEqual(plain.unread('position'), []);
  });

  test('a cursor from the future is waited for, then answered resync_required', async t => {
    // Goal: a forged cursor of this very log never is "up to date". Method: one far ahead of the newest.
    const product = fresh();
    const [batch] = await published(t, product, [1]);
    const { epoch, n } = position(batch.cursor);
    const client = await connect(t, gateway, { features: ['resync'] });
    await client.join(product);
    const ahead = `${epoch}.${n + 1_000_000}`;
    assert.equal((await client.sync(product, ahead)).status, 'resync_required');
    await assertToldToRefetch(client, [product]);
    const ack = await client.joinAll({ [product]: ahead });
    assert.deepEqual(ack.results, { [product]: 'resync_required' });
    await assertToldToRefetch(client, [product]);
  });
});

/** Publishes one event after the other, each in a batch of its own, and gives back the batches as a member got them. */
async function published(t, product, values) {
  const member = await connect(t, gateway);
  await member.join(product);
  const batches = [];
  for (const value of values) {
    await notify(gateway, price(product, value));
    batches.push(await member.nextBatch(product));
  }
  member.close();
  return batches;
}

/** The batches that came before the acknowledgement of `event`; at least the acknowledgement must be there. */
function arrivedBefore(client, event) {
  const at = client.arrivals.findIndex(arrival => arrival.ack === event);
  assert.ok(at >= 0);
  return client.arrivals.slice(0, at).filter(arrival => arrival.event === 'batched_product_update').map(arrival => arrival.args[0]);
}

/** The word to refetch may come in one piece or several, as long as it names these products and no others. */
async function assertToldToRefetch(client, products, reasons) {
  const missing = new Set(products);
  while (missing.size > 0) {
    const word = await client.next('resync_required');
    assertResync(word, word.productIds, reasons);
    assert.ok(word.productIds.length > 0);
    for (const id of word.productIds) assert.ok(missing.delete(id), `${id} was not asked for`);
  }
}
