// Signing in with a JWT, over Socket.IO and SSE: who gets in, who does not, and that the answer never says why.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Client, ROADS, connect } from './support/client.js';
import { Gateway } from './support/gateway.js';
import { request } from './support/http.js';
import { KEY_PAIRS, hs256, inSecs, token } from './support/jwt.js';
import { notify, price } from './support/notify.js';
import { assertBatch, fresh } from './support/shapes.js';
import { openStream, streamPath, watch } from './support/sse.js';
import { within } from './support/wait.js';

const SECRET = 'e2e-jwt-secret-5d1b8f60c3a94e7792d4';
const pairs = Object.values(KEY_PAIRS).map(make => make());
const rsa = pairs.find(pair => pair.alg === 'RS256');
const stranger = KEY_PAIRS.RS256();

const GOOD = { HS256: () => hs256(SECRET), ...Object.fromEntries(pairs.map(pair => [pair.alg, () => pair.token()])) };

/** Every way to be refused. The answers must not differ. */
const BAD = {
  'another secret': () => hs256('another-secret-of-somebody-else-0000'),
  'another key': () => stranger.token(),
  'a signature cut short': () => hs256(SECRET).slice(0, -4),
  'claims changed after signing': () => {
    const [header, , signature] = hs256(SECRET, { exp: inSecs(-60) }).split('.');
    return [header, Buffer.from(JSON.stringify({ exp: inSecs(600) })).toString('base64url'), signature].join('.');
  },
  'a time that is over': () => hs256(SECRET, { exp: inSecs(-1) }),
  'no time': () => hs256(SECRET, { sub: 'u1' }),
  'a time in quotes': () => hs256(SECRET, { exp: String(inSecs(600)) }),
  'a time to come': () => hs256(SECRET, { exp: inSecs(600), nbf: inSecs(120) }),
  'alg none': () => token({ alg: 'none' }, { exp: inSecs(600) }, () => Buffer.alloc(0)),
  'alg none with a signature': () => hs256(SECRET, undefined, { alg: 'none' }),
  'the public key as the secret': () => hs256(rsa.pem),
  'RS256 of a secret': () => hs256(SECRET, undefined, { alg: 'RS256' }),
  'no token at all': () => 'hello',
  'too long': () => hs256(SECRET, { exp: inSecs(600), x: 'x'.repeat(5000) }),
};

let gateway;
let strict;   // REQUIRE_AUTH=true
let open;     // no key: nothing can be judged

before(async () => {
  const keys = { JWT_SECRET: SECRET, JWT_PUBLIC_KEY: pairs.map(pair => pair.pem).join('') };
  [gateway, strict, open] = await Promise.all([
    Gateway.start({ BATCH_WINDOW_MS: '50', ...keys }),
    Gateway.start({ BATCH_WINDOW_MS: '50', ...keys, REQUIRE_AUTH: 'true' }),
    Gateway.start(),
  ]);
});

after(() => Promise.all([gateway, strict, open].map(one => one.stop())));

async function authenticated(t, at, auth, road = 'websocket') {
  return (await (await connect(t, at, { road, auth })).next('connected')).authenticated;
}

/** What a refused client sees, all of it. */
async function refusal(t, at, auth, road = 'websocket') {
  const client = new Client(at, { road, auth });
  t.after(() => client.close());
  const error = await client.refused;
  assert.equal(client.socket.connected, false);
  assert.deepEqual(client.arrivals, []);
  return { message: error.message, data: error.data };
}

describe('a handshake of Socket.IO', () => {
  test('without a token is anonymous', async t => {
    // Goal: the original clients go on working. Method: the forms in which pages have no token.
    for (const auth of [undefined, {}, { token: null }, { token: '' }, { token: undefined, features: ['resync'] }]) {
      assert.equal(await authenticated(t, gateway, auth), false, JSON.stringify(auth));
    }
  });

  for (const [alg, make] of Object.entries(GOOD)) {
    test(`with a good ${alg} token is authenticated`, async t => {
      // Goal: every algorithm over every road, beside the others' keys. Method: connect and look; once also receive.
      for (const road of Object.keys(ROADS)) assert.equal(await authenticated(t, gateway, { token: make() }, road), true, road);
      const product = fresh();
      const client = await connect(t, strict, { auth: { token: make() } });
      await client.join(product);
      await notify(strict, price(product, 1));
      assertBatch(await client.nextBatch(product), product);
    });
  }

  test('with a bad token is refused, and not told why', async t => {
    // Goal: one answer for every reason. Method: each reason over the roads with a transport of their own.
    for (const [reason, make] of Object.entries(BAD)) {
      for (const road of ['websocket', 'polling']) {
        assert.deepEqual(await refusal(t, gateway, { token: make() }, road), { message: 'unauthorized', data: undefined }, `${reason} over ${road}`);
      }
    }
    for (const token of [7, true, [hs256(SECRET)], { token: hs256(SECRET) }]) {
      assert.equal((await refusal(t, gateway, { token })).message, 'unauthorized', JSON.stringify(token));
    }
  });

  test('of a shop whose clock runs fast is taken', async t => {
    // Goal: a token minted this second by a fast clock works, for clients do not come back. Method: nbf 45 s ahead.
    assert.equal(await authenticated(t, gateway, { token: hs256(SECRET, { exp: inSecs(600), nbf: inSecs(45) }) }), true);
  });

  test('is refused without a token where one is required', async t => {
    // Goal: REQUIRE_AUTH. Method: no token, a bad one, a good one.
    assert.deepEqual(await refusal(t, strict, undefined), { message: 'unauthorized', data: undefined });
    assert.deepEqual(await refusal(t, strict, { token: BAD['another secret']() }), { message: 'unauthorized', data: undefined });
    assert.equal(await authenticated(t, strict, { token: hs256(SECRET) }), true);
  });

  test('is anonymous whatever the token where no key is set', async t => {
    // Goal: pages that send tokens already are not locked out. Method: good, bad and senseless tokens.
    for (const token of [hs256(SECRET), 'hello', 7]) assert.equal(await authenticated(t, open, { token }), false);
  });
});

describe('a stream', () => {
  const status = async (at, { query = '', headers } = {}) =>
    request(at, streamPath(['p'], query), { headers });
  const opens = async (t, at, { query = '', headers } = {}) =>
    (await openStream(t, at, streamPath([fresh()], query), headers)).status;

  test('opens without a token and with a good one, in the header or the URL', async t => {
    // Goal: both places, every algorithm. Method: open and look at the status; on the strict gateway, where it counts.
    assert.equal(await opens(t, gateway), 200);
    assert.equal(await opens(t, gateway, { query: '&token=' }), 200);
    for (const make of Object.values(GOOD)) {
      assert.equal(await opens(t, strict, { query: `&token=${make()}` }), 200);
      assert.equal(await opens(t, strict, { headers: { authorization: `Bearer ${make()}` } }), 200);
    }
    // A proxy's own sign-in is not ours.
    assert.equal(await opens(t, gateway, { headers: { authorization: 'Basic dXNlcjpwYXNz' } }), 200);
  });

  test('is refused with a bad token, and not told why', async () => {
    // Goal: 401 and one body for every reason. Method: each reason in the header and in the URL; of one name, because an
    // answer names its request.
    const bodies = new Set();
    for (const [reason, make] of Object.entries(BAD)) {
      for (const { query, headers } of [{ query: `&token=${make()}` }, { headers: { authorization: `Bearer ${make()}` } }]) {
        const answer = await status(gateway, { query, headers: { 'x-request-id': 'r-1', ...headers } });
        assert.equal(answer.status, 401, reason);
        assert.equal(answer.json.code, 'unauthorized');
        assert.equal(answer.headers['www-authenticate'], 'Bearer');
        bodies.add(answer.text);
      }
    }
    assert.equal(bodies.size, 1);
    assert.doesNotMatch([...bodies][0], /api key/i);
    // The header counts; a good token in the URL does not save a bad one there.
    assert.equal((await status(gateway, { query: `&token=${hs256(SECRET)}`, headers: { authorization: 'Bearer hello' } })).status, 401);
  });

  test('is refused without a token where one is required', async () => {
    // Goal: REQUIRE_AUTH, before anything else is looked at. Method: no token, once without products too.
    assert.equal((await status(strict)).status, 401);
    assert.equal((await request(strict, '/api/events')).status, 401);
  });

  test('opens whatever the token where no key is set', async t => {
    // Goal: as over Socket.IO. Method: a senseless token.
    assert.equal(await opens(t, open, { query: '&token=hello' }), 200);
  });
});

describe('a token that expires while its client is connected', () => {
  const expiring = () => hs256(SECRET, { exp: inSecs(2) });
  const SOON_MS = 6_000;

  for (const road of Object.keys(ROADS)) {
    test(`ends the transport over ${road}, and the client comes back with a fresh one`, async t => {
      // Goal: no connection outlives its token, and none is told to stay away. Method: a token for two seconds, a good one after.
      const tokens = [expiring(), hs256(SECRET)];
      const auth = give => give({ token: tokens.shift() });
      const client = await connect(t, strict, { road, auth, reconnection: true, reconnectionDelay: 50, reconnectionDelayMax: 100 });
      assert.equal((await client.next('connected')).authenticated, true);
      const reason = await within(client.disconnected, 'the end of the transport', SOON_MS);
      assert.notEqual(reason, 'io server disconnect', 'after which clients do not come back');
      assert.equal((await client.next('connected')).authenticated, true);
      assert.equal(tokens.length, 0);
    });
  }

  test('ends the stream', async t => {
    const source = watch(t, `${strict.url}${streamPath(['p1'], `&token=${expiring()}`)}`);
    await source.next('open');
    await within(source.next('error'), 'the end of the stream', SOON_MS);
  });
});
