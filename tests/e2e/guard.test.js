// Connections that want to hold the gateway up: every one of them ends, and nobody else notices.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { connect } from './support/client.js';
import { Gateway } from './support/gateway.js';
import { request } from './support/http.js';
import { notify, post, price } from './support/notify.js';
import { Raw, frame, openFiles, openWebSocket } from './support/raw.js';
import { openStream, streamPath } from './support/sse.js';
import { pause, until, within } from './support/wait.js';

/** The deadline is 10 s, looked at once a second; the rest is for a busy machine. */
const CUT_MS = { least: 8_500, most: 14_000 };
const LATE_MS = 20_000;

const figure = async (gateway, name) => {
  const { text } = await request(gateway, '/metrics');
  const line = text.split('\n').find(text => text.startsWith(`${name} `));
  return line && Number(line.slice(name.length + 1));
};
const cut = (gateway, reason) => figure(gateway, `shelfcast_connections_cut_total{reason="${reason}"}`);

/** Events of 16 KiB until the deliveries to somebody meet a full queue. */
async function publishUntilFull(gateway, product, transport) {
  const data = { newPrice: 1, padding: 'x'.repeat(15_000) };
  await until(async () => {
    const answer = await post(gateway, { events: Array(10).fill({ productId: product, type: 'price_update', data }) });
    assert.equal(answer.status, 202);
    return await figure(gateway, `shelfcast_delivery_errors_total{transport="${transport}",reason="full"}`) > 0
      || await cut(gateway, 'write') > 0;
  }, 'a full queue', 60_000);
}

describe('slowloris', { concurrency: true }, async () => {
  const slow = {
    'a connection that says nothing': () => {},
    'a head that comes byte by byte': raw => drip(raw, 'GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: yes\r\nX-Slower: yes\r\n'),
    'a head that stops in its middle': raw => raw.write('GET /health HTTP/1.1\r\nHost: x\r\n'),
    'an HTTP/2 preface that stops in its middle': raw => raw.write('PRI * HTTP/2.0\r\n'),
    'a second head that comes byte by byte': async raw => {
      raw.write('GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n');
      await raw.until(text => text.includes('live'), 'the first answer');
      drip(raw, 'GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: yes\r\nX-Slower: yes\r\n');
    },
  };
  for (const [name, attack] of Object.entries(slow)) {
    test(`${name} is cut after ten seconds, and others are served meanwhile`, async t => {
      const gateway = await Gateway.start();
      t.after(() => gateway.stop());
      const raw = new Raw(t, gateway);
      await attack(raw);
      for (let i = 0; i < 5; i += 1) {
        assert.equal((await request(gateway, '/health/live')).status, 200);
        await pause(1_000);
      }
      assert.ok(!raw.isClosed, 'it has its ten seconds');
      const after = await within(raw.closed, 'the cut', LATE_MS);
      assert.ok(after > CUT_MS.least && after < CUT_MS.most, `${after} ms`);
      assert.equal(await cut(gateway, 'head'), 1);
    });
  }

  test('a body that comes byte by byte is refused after ten seconds', async t => {
    const gateway = await Gateway.start();
    t.after(() => gateway.stop());
    const raw = new Raw(t, gateway);
    raw.write('POST /api/notify HTTP/1.1\r\nHost: x\r\nX-API-Key: e2e-key-0b7e4c1f9a5d4e63b2c8f70d51a6\r\n'
      + 'Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n');
    drip(raw, '{"productId":"p1","type":"price_update","data":{"newPrice":1}}'.padEnd(1000));
    const text = await raw.until(text => text.includes('body_timeout'), 'the refusal').catch(() => raw.text);
    assert.match(text, /^HTTP\/1.1 408 /);
    await within(raw.closed, 'the end', LATE_MS);
  });
});

function drip(raw, text) {
  const bytes = [...text];
  const timer = setInterval(() => (bytes.length && !raw.isClosed ? raw.write(bytes.shift()) : clearInterval(timer)), 400);
}

describe('who does not read', { concurrency: true }, () => {
  const stuck = {
    socketio: async (t, gateway) => {
      const raw = await openWebSocket(t, gateway);
      raw.write(frame('42["join_product","hot"]'));
      return raw;
    },
    sse: async (t, gateway) => {
      const raw = new Raw(t, gateway);
      raw.write('GET /api/events?products=hot HTTP/1.1\r\nHost: x\r\n\r\n');
      await raw.until(text => text.includes('retry:'), 'the first block');
      return raw;
    },
  };
  for (const [transport, open] of Object.entries(stuck)) {
    test(`over ${transport} is cut, leaves its rooms, and costs the others nothing`, async t => {
      const gateway = await Gateway.start({ BATCH_WINDOW_MS: '50' });
      t.after(() => gateway.stop());
      const raw = await open(t, gateway);
      await until(async () => (await gateway.health()).rooms.totalSubscribers === 1, 'the join');
      raw.socket.pause();
      const other = await connect(t, gateway, { features: ['resync'] });
      await other.join(['hot', 'other']);
      await publishUntilFull(gateway, 'hot', transport);
      const since = performance.now();
      await notify(gateway, price('other', 7));
      assert.equal((await other.nextBatch('other')).events[0].data.newPrice, 7);
      await until(async () => (await gateway.health()).rooms.totalSubscribers === 1, 'the cut', LATE_MS);
      const after = performance.now() - since;
      assert.ok(after < 12_000, `told or cut within 12 s, not ${after} ms`);
      assert.equal(await figure(gateway, 'shelfcast_connections{transport="sse"}'), 0);
      assert.ok(await cut(gateway, 'write') + await cut(gateway, 'slow') >= 1);
    });
  }

  test('does not hold up the end of the process', async t => {
    const gateway = await Gateway.start({ BATCH_WINDOW_MS: '50', DRAIN_DELAY_MS: '0', DRAIN_SPREAD_MS: '500' });
    t.after(() => gateway.stop());
    for (const transport of ['socketio', 'sse']) (await stuck[transport](t, gateway)).socket.pause();
    await until(async () => (await gateway.health()).rooms.totalSubscribers === 2, 'the joins');
    await publishUntilFull(gateway, 'hot', 'sse');
    const since = performance.now();
    await gateway.stop();
    const took = performance.now() - since;
    assert.ok(took < 500 + 5_000, `${took} ms`);
  });

  test('over polling is told by its next request that its session has ended', async t => {
    const gateway = await Gateway.start({ BATCH_WINDOW_MS: '20' });
    t.after(() => gateway.stop());
    const sid = await openPolling(gateway);
    const poll = `/socket.io/?EIO=4&transport=polling&sid=${sid}`;
    await request(gateway, poll, { method: 'POST', body: '42["join_product","hot"]' });
    await until(async () => (await gateway.health()).rooms.totalSubscribers === 1, 'the join');
    await publishUntilFull(gateway, 'hot', 'socketio');
    // By its debt after ten seconds, or by the heartbeat for which there is no room.
    await until(async () => (await gateway.health()).connections === 0, 'the end of the session', LATE_MS);
    const answer = await request(gateway, poll);
    assert.deepEqual([answer.status, Number(answer.json.code)], [400, 1]);
  });
});

async function openPolling(gateway) {
  const open = await request(gateway, '/socket.io/?EIO=4&transport=polling');
  const { sid } = JSON.parse(open.text.slice(1));
  await request(gateway, `/socket.io/?EIO=4&transport=polling&sid=${sid}`, { method: 'POST', body: '40' });
  return sid;
}

describe('a flood of connections', () => {
  test('finds every place for clients taken, is told when to come again, and publishers are served', async t => {
    const gateway = await Gateway.start({ MAX_CONNECTIONS: '2' });
    t.after(() => gateway.stop());
    await connect(t, gateway);
    const stream = await openStream(t, gateway, streamPath(['p1']));
    for (const transport of ['polling', 'websocket']) {
      const answer = await request(gateway, `/socket.io/?EIO=4&transport=${transport}`);
      assert.deepEqual([answer.status, answer.json.code], [503, 'overloaded'], transport);
      assert.ok(Number(answer.headers['retry-after']) >= 1);
    }
    const refused = await request(gateway, streamPath(['p1']));
    assert.deepEqual([refused.status, refused.headers['content-type']], [200, 'text/event-stream'], 'EventSource dies of anything else');
    assert.match(refused.text, /^retry: \d{4,5}\n\n$/);
    assert.equal((await post(gateway, price('p1', 3))).status, 202);
    assert.equal((await request(gateway, '/health/ready')).status, 200);
    await stream.nextBatch('p1');
  });

  test('from one address leaves places for others', async t => {
    const gateway = await Gateway.start({ MAX_CONNECTIONS_PER_IP: '2' });
    t.after(() => gateway.stop());
    const from = { localAddress: '127.0.0.2' };
    await openWebSocket(t, gateway, from);
    await openWebSocket(t, gateway, from);
    const third = new Raw(t, gateway, from).write('GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n\r\n');
    assert.match(await third.until(text => text.includes('\r\n\r\n'), 'the refusal'), /^HTTP\/1.1 503 /);
    const more = [1, 2, 3].map(() => new Raw(t, gateway, from));
    await within(Promise.any(more.map(raw => raw.closed)), 'the end of a connection too many');
    await connect(t, gateway);
  });

  test('that asks nothing loses its oldest connections to those who ask', async t => {
    const gateway = await Gateway.start({ MAX_CONNECTIONS: '10' });
    t.after(() => gateway.stop());
    const before = openFiles(gateway);
    const idle = Array.from({ length: 400 }, () => new Raw(t, gateway));
    for (let i = 0; i < 20; i += 1) assert.equal((await post(gateway, price('p1', i))).status, 202);
    assert.ok(await cut(gateway, 'room') > 0);
    await connect(t, gateway);
    await Promise.all(idle.map(raw => within(raw.closed, 'the end of an idle connection', LATE_MS)));
    await until(() => openFiles(gateway) <= before + 4, 'the descriptors of before');
  });
});
