// POST /api/notify: what is taken in, what is refused, and that a refused request leaves no trace.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';

import { API_KEY, Gateway } from './support/gateway.js';
import { request } from './support/http.js';
import { post, price } from './support/notify.js';
import { fresh, position } from './support/shapes.js';

const BODY_BYTES_MAX = 256 * 1024;
const DATA_BYTES_MAX = 16 * 1024;
const EVENTS_MAX = 500;
const ROTATED_KEY = 'e2e-rotated-key-41c6d09be7f24a83a5';

let gateway;

before(async () => { gateway = await Gateway.start({ INTERNAL_API_KEY: `${ROTATED_KEY},${API_KEY}` }); });
after(() => gateway.stop());

const good = () => price(fresh(), 1);
const having = change => ({ ...good(), ...change });
const without = field => Object.fromEntries(Object.entries(good()).filter(([name]) => name !== field));
const many = count => ({ events: Array.from({ length: count }, good) });
const ofBytes = (bytes, event = good()) => JSON.stringify(event).padEnd(bytes, ' ');
const withData = bytes => having({ data: { fill: 'x'.repeat(bytes - '{"fill":""}'.length) } });

describe('A refused request', () => {
  // Each row: what is wrong; the request; the status; the code; and what the problem must name.
  const rows = [
    // Not JSON.
    ['an empty body', { body: '' }, 400, 'malformed_json'],
    ['a body that is no JSON', { body: 'price is 5' }, 400, 'malformed_json'],
    ['a mistake in the second line', { body: '{"productId": "p",\n "type": }' }, 400, 'malformed_json', [/line\W+2/, /column\W+\d+/]],
    ['a body that ends early', { body: '{"productId":"p","type":"price_update","data":{' }, 400, 'malformed_json'],
    ['something behind the JSON', { body: `${JSON.stringify(good())} and more` }, 400, 'malformed_json'],
    ['bytes that are no UTF-8', { body: Buffer.concat([Buffer.from('{"productId":"p","type":"price_update","data":{"name":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}}')]) }, 400, 'malformed_json'],
    ['a broken escape inside data', { body: '{"productId":"p","type":"price_update","data":{"name":"\\x"}}' }, 400, 'malformed_json'],

    // Not the way to send it.
    ['an unknown path', { path: '/api/nothing-here', body: good() }, 404, 'not_found'],
    ['GET', { method: 'GET' }, 405, 'method_not_allowed'],
    ['PUT', { method: 'PUT', body: good() }, 405, 'method_not_allowed'],
    ['DELETE on the batch form', { method: 'DELETE', path: '/api/notify/batch' }, 405, 'method_not_allowed'],
    ['plain text', { headers: { 'content-type': 'text/plain' }, body: good() }, 415, 'unsupported_media_type'],
    ['a form', { headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: 'productId=p' }, 415, 'unsupported_media_type'],
    ['a gzip body', { headers: { 'content-encoding': 'gzip' }, body: gzipSync(JSON.stringify(good())) }, 415, 'unsupported_encoding'],
    ['a body of one byte too many', { body: ofBytes(BODY_BYTES_MAX + 1) }, 413, 'body_too_large'],
    ['a long body that does not say its length', { headers: { 'transfer-encoding': 'chunked' }, body: ofBytes(BODY_BYTES_MAX + 1) }, 413, 'body_too_large'],

    // JSON, but no event.
    ['a list', { body: [good()] }, 422, 'invalid_event'],
    ['a string', { body: '"product-1"' }, 422, 'invalid_event'],
    ['null', { body: 'null' }, 422, 'invalid_event'],
    ['an object without anything', { body: {} }, 422, 'invalid_event', [/productId/, /type/]],
    ['no product', { body: without('productId') }, 422, 'invalid_event', [/productId/]],
    ['an empty product id', { body: having({ productId: '' }) }, 422, 'invalid_event', [/productId/]],
    ['a product id with a space', { body: having({ productId: 'two words' }) }, 422, 'invalid_event', [/productId/]],
    ['a product id that is too long', { body: having({ productId: 'x'.repeat(129) }) }, 422, 'invalid_event', [/productId/]],
    ['a product id that is an object', { body: having({ productId: { id: 1 } }) }, 422, 'invalid_event', [/productId/]],
    ['no type', { body: without('type') }, 422, 'invalid_event', [/type/]],
    ['an unknown type', { body: having({ type: 'colour_update' }) }, 422, 'invalid_event', [/type/, /price_update/]],
    ['a type that is a number', { body: having({ type: 7 }) }, 422, 'invalid_event', [/type/]],
    ['data that is null', { body: having({ data: null }) }, 422, 'invalid_event', [/data/]],
    ['data that is a list', { body: having({ data: [1] }) }, 422, 'invalid_event', [/data/]],
    ['data that is a string', { body: having({ data: '{}' }) }, 422, 'invalid_event', [/data/]],
    ['data of one byte too many', { body: withData(DATA_BYTES_MAX + 1) }, 422, 'invalid_event', [/data/]],
    ['a timestamp that is no time', { body: having({ timestamp: 'yesterday' }) }, 422, 'invalid_event', [/timestamp/]],
    ['a timestamp without a zone', { body: having({ timestamp: '2026-01-01T00:00:00' }) }, 422, 'invalid_event', [/timestamp/]],
    ['a timestamp of the thirteenth month', { body: having({ timestamp: '2026-13-01T00:00:00Z' }) }, 422, 'invalid_event', [/timestamp/]],
    ['a timestamp that is a number', { body: having({ timestamp: 1767225600 }) }, 422, 'invalid_event', [/timestamp/]],
    ['a list of no events', { body: { events: [] } }, 422, 'invalid_event', [/events/]],
    ['events that are no list', { body: { events: 'all' } }, 422, 'invalid_event', [/events/]],
    ['one event at the batch path', { path: '/api/notify/batch', body: good() }, 422, 'invalid_event', [/events/]],
    ['two bad events among good ones', { body: { events: [good(), having({ type: 'x' }), good(), having({ productId: 'a b' })] } },
      422, 'invalid_event', [/events\W+1\W+type/, /events\W+3\W+productId/]],
    ['one event too many', { body: many(EVENTS_MAX + 1) }, 422, 'too_many_events'],
  ];

  for (const [what, { method = 'POST', path = '/api/notify', headers, body }, status, code, named = []] of rows) {
    test(`with ${what} is ${status} ${code} and appends nothing`, async () => {
      // Goal: the exact status and code, the field by its name, and no trace in the log. Method: a good request before
      // and after; their positions are neighbours.
      const before = await accepted(good());
      const answer = method === 'POST'
        ? await post(gateway, body, { path, headers })
        : await request(gateway, path, { method, headers: { 'x-api-key': API_KEY, 'content-type': 'application/json' }, body: body && JSON.stringify(body) });
      assertProblem(answer, status, code);
      for (const name of named) assert.match(answer.text, name);
      if (status === 405) assert.match(answer.headers.allow ?? '', /\bPOST\b/);
      await assertNothingSince(before);
    });
  }

  test('with a used Idempotency-Key and another body is 422 idempotency_key_reused and appends nothing', async () => {
    // Goal: a key stands for one body, to the byte. Method: the same key with another event, and with one more space.
    const headers = { 'idempotency-key': fresh('key') };
    const body = JSON.stringify(good());
    const first = await post(gateway, body, { headers });
    assert.equal(first.status, 202, first.text);
    for (const other of [good(), `${body} `]) assertProblem(await post(gateway, other, { headers }), 422, 'idempotency_key_reused');
    await assertNothingSince(first.json);
  });

  test('without a good key is 401 unauthorized and appends nothing', async t => {
    // Goal: no key, a wrong one, a part of one, or one in the URL opens nothing. Method: a gateway of its own, because
    // wrong keys are counted.
    const guarded = await startFor(t);
    const before = await post(guarded, good());
    const noKey = { 'x-api-key': null };
    for (const [path, headers] of [
      ['/api/notify', noKey],
      ['/api/notify', { 'x-api-key': API_KEY.slice(0, -1) }],
      [`/api/notify?key=${API_KEY}&api_key=${API_KEY}&token=${API_KEY}`, noKey],
      ['/api/notify/batch', { ...noKey, authorization: `Bearer ${API_KEY}x` }],
    ]) {
      assertProblem(await post(guarded, good(), { path, headers }), 401, 'unauthorized');
    }
    const after = await post(guarded, good());
    assert.equal(position(after.json.cursor).n, position(before.json.cursor).n + 1);
  });

  test('with one wrong key after the other becomes 429 rate_limited', async t => {
    // Goal: keys cannot be tried for ever, and the answer says when to come back. Method: wrong keys until it says so.
    const guarded = await startFor(t);
    for (let tries = 1; ; tries += 1) {
      const answer = await post(guarded, good(), { headers: { 'x-api-key': `wrong-key-number-${tries}` } });
      if (answer.status === 429) {
        assertProblem(answer, 429, 'rate_limited');
        assert.match(answer.headers['retry-after'] ?? '', /^[1-9]\d*$/);
        return;
      }
      assertProblem(answer, 401, 'unauthorized');
      assert.ok(tries < 1_000, 'a thousand wrong keys were let through');
    }
  });
});

describe('An accepted request', () => {
  test('is answered with what was appended and where', async () => {
    // Goal: 202 with exactly the four fields. Method: one event; then the two list forms.
    const first = await post(gateway, good());
    assert.equal(first.status, 202, first.text);
    assert.match(first.headers['content-type'], /^application\/json\b/);
    const { epoch, n } = position(first.json.cursor);
    assert.deepEqual(first.json, { accepted: 1, duplicates: 0, cursor: `${epoch}.${n}`, duplicate: false });
    for (const [path, count] of [['/api/notify', 3], ['/api/notify/batch', 2]]) {
      const before = await accepted(good());
      const answer = await post(gateway, many(count), { path });
      const cursor = `${epoch}.${position(before.cursor).n + count}`;
      assert.deepEqual(answer.json, { accepted: count, duplicates: 0, cursor, duplicate: false });
    }
  });

  for (const [what, options] of [
    ['the key as a bearer token', { headers: { 'x-api-key': null, authorization: `Bearer ${API_KEY}` } }],
    ['the other key of two', { headers: { 'x-api-key': ROTATED_KEY } }],
    ['a content type with a charset', { headers: { 'content-type': 'application/json; charset=utf-8' } }],
    ['no declared length', { headers: { 'transfer-encoding': 'chunked' } }],
    ['unknown fields', { body: having({ colour: 'red', nested: { deep: [1] } }) }],
    ['a numeric product id', { body: having({ productId: 42 }) }],
    ['empty data', { body: having({ data: {} }) }],
    ['a timestamp with an offset', { body: having({ timestamp: '2026-01-01T01:00:00.5+01:00' }) }],
    ['as many bytes as allowed', { body: ofBytes(BODY_BYTES_MAX) }],
    ['as much data as allowed', { body: withData(DATA_BYTES_MAX) }],
    ['as many events as allowed', { body: many(EVENTS_MAX), count: EVENTS_MAX }],
    ...['product_update', 'inventory_update', 'price_update', 'sale_update'].map(type => [`type ${type}`, { body: having({ type }) }]),
  ]) {
    test(`may have ${what}`, async () => {
      // Goal: the limit is where it is said to be, and nothing good is refused. Method: one request; it moves the log by
      // as many events as it has.
      const { body = good(), count = 1, ...rest } = options;
      const before = await accepted(good());
      const answer = await post(gateway, body, rest);
      assert.equal(answer.status, 202, answer.text);
      assert.equal(answer.json.accepted, count);
      assert.equal(position(answer.json.cursor).n, position(before.cursor).n + count);
    });
  }

  test('gets its first answer again when it is repeated with its Idempotency-Key', async () => {
    // Goal: a retry appends nothing and says so. Method: the same request three times, two of them at once.
    const headers = { 'idempotency-key': fresh('key') };
    const body = JSON.stringify(many(2));
    const answers = await Promise.all([post(gateway, body, { headers }), post(gateway, body, { headers })]);
    answers.push(await post(gateway, body, { headers }));
    const first = answers.find(answer => answer.json.duplicate === false);
    const again = answers.filter(answer => answer !== first);
    assert.equal(first?.json.accepted, 2);
    for (const answer of again) {
      assert.equal(answer.status, 202, answer.text);
      assert.deepEqual(answer.json, { ...first.json, duplicate: true });
    }
    await assertNothingSince(first.json);
  });

  test('appends an event with a known eventId no second time', async () => {
    // Goal: eventId claims one event, within a request and over several. Method: twice in one request, once more later,
    // then beside a new one.
    const eventId = fresh('event');
    const claimed = having({ eventId });
    const first = await post(gateway, { events: [claimed, claimed] });
    assert.deepEqual(first.json, { accepted: 1, duplicates: 1, cursor: first.json.cursor, duplicate: false });
    const again = await post(gateway, claimed);
    assert.deepEqual(again.json, { accepted: 0, duplicates: 1, cursor: first.json.cursor, duplicate: true });
    const mixed = await post(gateway, { events: [claimed, good()] });
    assert.deepEqual(mixed.json, { accepted: 1, duplicates: 1, cursor: mixed.json.cursor, duplicate: false });
    assert.equal(position(mixed.json.cursor).n, position(first.json.cursor).n + 1);
  });

  test('appends the same change again when nothing says it is the same', async () => {
    // Goal: price A, B, A are three events. Method: one body twice, without any key.
    const body = JSON.stringify(good());
    const [first, second] = [await post(gateway, body), await post(gateway, body)];
    assert.equal(position(second.json.cursor).n, position(first.json.cursor).n + 1);
  });
});

async function startFor(t) {
  const started = await Gateway.start();
  t.after(() => started.stop());
  return started;
}

async function accepted(event) {
  const answer = await post(gateway, event);
  assert.equal(answer.status, 202, answer.text);
  return answer.json;
}

/** The position after `cursor` is free: the next good event gets it. */
async function assertNothingSince({ cursor }) {
  const next = position((await accepted(good())).cursor);
  assert.deepEqual(next, { epoch: position(cursor).epoch, n: position(cursor).n + 1 });
}

function assertProblem(answer, status, code) {
  assert.equal(answer.status, status, answer.text);
  assert.match(answer.headers['content-type'] ?? '', /^application\/problem\+json\b/);
  assert.equal(answer.json?.code, code, answer.text);
  assert.equal(answer.json.status ?? status, status);
}
