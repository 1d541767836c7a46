// Connections that want to hold the gateway up: every one of them ends, and nobody else notices.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';

import { connect } from './support/client.js';
import { Gateway } from './support/gateway.js';
import { request } from './support/http.js';
import { notify, post, price } from './support/notify.js';
import { Raw, frame, openFiles, openWebSocket, untaken } from './support/raw.js';
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
      || await cut(gateway, 'write') > 0 || (await gateway.health()).connections === 0;
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
  /** When its kernel took the last byte: it goes on for a while after the program has stopped reading. */
  function lastTaken(raw) {
    let [taken, at] = [untaken(raw), performance.now()];
    const timer = setInterval(() => {
      const now = untaken(raw);
      if (now !== undefined && now !== taken) [taken, at] = [now, performance.now()];
    }, 100);
    return { last: () => { clearInterval(timer); return at; } };
  }

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
      const taking = lastTaken(raw);
      await notify(gateway, price('other', 7));
      assert.equal((await other.nextBatch('other')).events[0].data.newPrice, 7);
      await until(async () => (await gateway.health()).rooms.totalSubscribers === 1, 'the cut', LATE_MS);
      const after = performance.now() - taking.last();
      assert.ok(after < CUT_MS.most, `told or cut ${after} ms after it took the last byte`);
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

  for (const transport of ['socketio', 'sse']) {
    test(`over ${transport} and reads on in time is told once what it missed`, async t => {
      const gateway = await Gateway.start({ BATCH_WINDOW_MS: '50' });
      t.after(() => gateway.stop());
      const raw = transport === 'sse' ? new Raw(t, gateway) : await openWebSocket(t, gateway, { auth: { features: ['resync'] } });
      raw.write(transport === 'sse' ? 'GET /api/events?products=hot&features=resync HTTP/1.1\r\nHost: x\r\n\r\n' : frame('42["join_product","hot"]'));
      await until(async () => (await gateway.health()).rooms.totalSubscribers === 1, 'the join');
      raw.socket.pause();
      await publishUntilFull(gateway, 'hot', transport);
      await pause(3_000);   // A dozen looks at its debt.
      raw.socket.resume();
      await raw.until(text => text.includes('resync_required'), 'the word');
      await pause(1_500);
      assert.equal(raw.text.split('resync_required').length - 1, 1);
    });
  }

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

describe('who reads slowly but steadily', () => {
  test('is not cut, however little it takes at a time', async t => {
    // Goal: a phone on a bad line stays. Method: 24 kB/s for three times the deadline, with more than that to read. (Slower
    // cannot be tried here: over loopback the kernel opens a closed window only for 64 KB or more at a time.)
    const gateway = await Gateway.start({ BATCH_WINDOW_MS: '100' });
    t.after(() => gateway.stop());
    const raw = new Raw(t, gateway);
    raw.write('GET /api/events?products=hot HTTP/1.1\r\nHost: x\r\n\r\n');
    await raw.until(text => text.includes('retry:'), 'the first block');
    raw.socket.pause();
    const reading = setInterval(() => raw.socket.read(6_000), 250);
    t.after(() => clearInterval(reading));
    const data = { newPrice: 1, padding: 'x'.repeat(10_000) };
    for (let secs = 0; secs < 30; secs += 1) {
      for (let i = 0; i < 4; i += 1) await post(gateway, { productId: 'hot', type: 'price_update', data });
      await pause(1_000);
      assert.ok(!raw.isClosed, `cut after ${secs} s`);
    }
    assert.equal(await cut(gateway, 'write'), 0);
    assert.equal((await gateway.health()).rooms.totalSubscribers, 1);
  });
});

describe('a session that is ended', () => {
  const upgrade = key => `Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n`;
  const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';

  for (const [when, said] of [['before its probe', []], ['between its probe and its word', ['2probe']]]) {
    test(`is one whose upgrade ends ${when}`, async t => {
      // Goal: nobody who went holds a place, and who is still there opens a new session at once. Method: a session that
      // polls, its WebSocket closed too soon, its next poll.
      const gateway = await Gateway.start();
      t.after(() => gateway.stop());
      const sid = await openPolling(gateway);
      await until(async () => (await gateway.health()).connections === 1, 'the session');
      const path = `/socket.io/?EIO=4&transport=websocket&sid=${sid}`;
      const raw = new Raw(t, gateway).write(`GET ${path} HTTP/1.1\r\nHost: x\r\n${upgrade(KEY)}\r\n`);
      await raw.until(text => text.includes('\r\n\r\n'), 'the upgrade');
      for (const word of said) raw.write(frame(word));
      if (said.length > 0) await raw.until(text => text.includes('3probe'), 'the probe');
      raw.socket.destroy();
      await until(async () => (await gateway.health()).connections === 0, 'the end of the session');
      const answer = await request(gateway, `/socket.io/?EIO=4&transport=polling&sid=${sid}`);
      assert.deepEqual([answer.status, Number(answer.json.code)], [400, 1]);
    });
  }

  test('is not taken past its limits by a post that pretends to upgrade', async t => {
    // Goal: the pace of posts is that of posts. Method: as many as a burst and more, each dressed as an upgrade.
    const gateway = await Gateway.start();
    t.after(() => gateway.stop());
    const poll = `/socket.io/?EIO=4&transport=polling&sid=${await openPolling(gateway)}`;
    const body = `42["say","${'p'.repeat(15_000)}"]`;
    const headers = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-key': KEY, 'content-type': 'text/plain' };
    const statuses = new Set();
    for (let i = 0; i < 400 && !statuses.has(429) && !statuses.has(400); i += 1) {
      const raw = new Raw(t, gateway).write(`POST ${poll} HTTP/1.1\r\nHost: x\r\n`
        + Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join('')
        + `content-length: ${body.length}\r\n\r\n${body}`);
      const text = await raw.until(text => text.includes('\r\n\r\n'), 'the answer');
      statuses.add(Number(text.split(' ')[1]));
      raw.socket.destroy();
    }
    assert.ok(statuses.has(429) || statuses.has(400), [...statuses].join());
  });

  test('is ended on the WebSocket it is on, whatever else it has asked for', async t => {
    const gateway = await Gateway.start();
    t.after(() => gateway.stop());
    const sid = await openPolling(gateway);
    const path = `/socket.io/?EIO=4&transport=websocket&sid=${sid}`;
    const raw = new Raw(t, gateway).write(`GET ${path} HTTP/1.1\r\nHost: x\r\n${upgrade(KEY)}\r\n`);
    await raw.until(text => text.includes('\r\n\r\n'), 'the upgrade');
    raw.write(frame('2probe'));
    await raw.until(text => text.includes('3probe'), 'the probe');
    raw.write(frame('5'));
    const second = new Raw(t, gateway).write(`GET ${path} HTTP/1.1\r\nHost: x\r\n${upgrade(KEY)}\r\n`);
    assert.match(await second.until(text => text.includes('\r\n\r\n'), 'the refusal'), /^HTTP\/1.1 400 /);
    raw.write(Buffer.concat(Array.from({ length: 700 }, () => frame('42["ping"]'))));
    await within(raw.closed, 'the end of the connection');
  });

  test('takes no connection with it that others may use', async t => {
    // Goal: what a proxy shares among clients outlives each of them. Method: a handshake to poll that pretends to upgrade.
    const gateway = await Gateway.start();
    t.after(() => gateway.stop());
    const shared = new Raw(t, gateway);
    shared.write(`GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\nSec-WebSocket-Key: ${KEY}\r\n\r\n`);
    const text = await shared.until(text => /"sid":"[^"]+".*}/.test(text), 'the handshake');
    const [, sid] = /"sid":"([^"]+)"/.exec(text);
    const poll = `/socket.io/?EIO=4&transport=polling&sid=${sid}`;
    const pings = Array(700).fill('42["ping"]').join('\x1e');
    await request(gateway, poll, { method: 'POST', body: '40' });
    await until(async () => (await gateway.health()).connections === 1, 'the session');
    await request(gateway, poll, { method: 'POST', body: pings });
    await until(async () => await cut(gateway, 'abuse') === 1, 'the end of the session');
    shared.text = '';
    shared.write('GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n');
    await shared.until(text => text.includes('live'), 'the next answer');
  });
});

describe('what is asked for again and again', () => {
  test('is not kept for a client that does not read', async t => {
    // Goal: a few bytes of asking do not become megabytes of answers. Method: the same replay 400 times, without reading.
    const gateway = await Gateway.start({ BATCH_WINDOW_MS: '0' });
    t.after(() => gateway.stop());
    const data = { newPrice: 1, padding: 'x'.repeat(1_000) };
    const { cursor } = (await post(gateway, price('p1', 0))).json;
    await post(gateway, { events: Array(150).fill({ productId: 'p1', type: 'price_update', data }) });
    const before = memoryMb(gateway);
    const raws = await Promise.all(Array.from({ length: 20 }, () => openWebSocket(t, gateway)));
    for (const raw of raws) {
      raw.socket.pause();
      raw.write(Buffer.concat(Array.from({ length: 400 }, () => frame(`42["request_sync","p1","${cursor}"]`))));
    }
    await pause(3_000);
    const more = memoryMb(gateway) - before;
    assert.ok(more < 100, `${more} MB for 20 clients`);
  });
});

/** Resident memory of the gateway. */
const memoryMb = gateway => Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${gateway.pid}/status`, 'utf8'))[1]) / 1024;

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

  test('that has asked once and is kept gives way to those who ask now', async t => {
    const gateway = await Gateway.start({ MAX_CONNECTIONS: '10' });
    t.after(() => gateway.stop());
    const kept = Array.from({ length: 266 }, () => new Raw(t, gateway).write('GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n'));
    await Promise.all(kept.map(raw => raw.until(text => text.includes('live'), 'the answer').catch(() => {})));
    await pause(2_000);   // The look that finds them idle.
    for (let i = 0; i < 20; i += 1) assert.equal((await post(gateway, price('p1', i))).status, 202);
    assert.ok(await cut(gateway, 'room') > 0);
  });

  test('of sessions that never connect gives way to clients that do', async t => {
    const gateway = await Gateway.start({ MAX_CONNECTIONS: '20' });
    t.after(() => gateway.stop());
    for (let i = 0; i < 20; i += 1) assert.equal((await request(gateway, '/socket.io/?EIO=4&transport=polling')).status, 200);
    for (let i = 0; i < 10; i += 1) await connect(t, gateway);
    assert.equal((await gateway.health()).connections, 10);
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
