// What one client may send: too large, too much, too often, or no protocol at all. It is refused in words where it can
// read them, it is ended where it goes on, and the gateway keeps nothing of it.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { connect } from './support/client.js';
import { API_KEY, Gateway } from './support/gateway.js';
import { request } from './support/http.js';
import { post, price } from './support/notify.js';
import { Raw, frame, openFiles, openWebSocket } from './support/raw.js';
import { pause, until, within } from './support/wait.js';

async function start(t, env) {
  const gateway = await Gateway.start(env);
  t.after(() => gateway.stop());
  return gateway;
}

describe('too large', () => {
  const KIB = 1024;
  const messages = {
    'a message of 17 KiB': raw => raw.write(frame(`42["ping","${'x'.repeat(17 * KIB)}"]`)),
    'a frame that announces 1 GiB': raw => raw.write(Buffer.from([0x81, 0xff, 0, 0, 0, 0, 0x40, 0, 0, 0, 1, 2, 3, 4])),
    'a message of 17 KiB in fragments': raw => {
      raw.write(frame('42["ping","', { fin: false }));
      for (let i = 0; i < 17; i += 1) raw.write(frame('x'.repeat(KIB), { opcode: 0, fin: false }));
    },
    'fragments without end': raw => {
      raw.write(frame('4', { fin: false }));
      for (let i = 0; i < 2 * 16 * KIB / 64; i += 1) raw.write(frame('x'.repeat(64), { opcode: 0, fin: false }));
    },
  };
  for (const [name, send] of Object.entries(messages)) {
    test(`${name} ends the connection`, async t => {
      const raw = await openWebSocket(t, await start(t));
      send(raw);
      await within(raw.closed, 'the end of the connection');
    });
  }

  const binary = {
    'ten thousand and one attachments announced': '4510001-["join_product",{"_placeholder":true,"num":0}]',
    'one attachment announced': '451-["join_product",{"_placeholder":true,"num":0}]',
  };
  for (const [name, packet] of Object.entries(binary)) {
    test(`${name}: nothing is waited for or kept`, async t => {
      const gateway = await start(t);
      const raw = await openWebSocket(t, gateway);
      raw.write(frame(packet));
      for (let i = 0; i < 8; i += 1) raw.write(frame('x'.repeat(15 * KIB), { opcode: 2 }));
      await within(raw.closed, 'the end of the connection');
      assert.equal((await gateway.health()).rooms.totalSubscribers, 0);
    });
  }

  test('a polling body of 17 KiB is refused', async t => {
    const gateway = await start(t);
    const { sid } = JSON.parse((await request(gateway, '/socket.io/?EIO=4&transport=polling')).text.slice(1));
    const answer = await request(gateway, `/socket.io/?EIO=4&transport=polling&sid=${sid}`, { method: 'POST', body: '4'.repeat(17 * KIB) });
    assert.equal(answer.status, 413);
  });

  test('a notify body over 256 KiB is refused before it is read', async t => {
    const gateway = await start(t);
    const raw = new Raw(t, gateway);
    raw.write(`POST /api/notify HTTP/1.1\r\nHost: x\r\nX-API-Key: ${API_KEY}\r\nContent-Type: application/json\r\nContent-Length: 1000000000\r\n\r\n`);
    assert.match(await raw.until(text => text.includes('body_too_large'), 'the refusal'), /^HTTP\/1.1 413 /);
  });

  const heads = {
    'a head of 40 KiB': `X-Long: ${'x'.repeat(40 * KIB)}\r\n`,
    'a hundred headers': Array.from({ length: 100 }, (_, i) => `X-${i}: 1\r\n`).join(''),
  };
  for (const [name, headers] of Object.entries(heads)) {
    test(`${name} is refused`, async t => {
      const raw = new Raw(t, await start(t)).write(`GET /health HTTP/1.1\r\nHost: x\r\n${headers}\r\n`);
      assert.match(await raw.until(text => text.includes('\r\n\r\n'), 'the refusal'), /^HTTP\/1.1 431 /);
    });
  }
});

describe('too often', () => {
  test('five hundred messages at once are served, more are refused in words, and a flood ends', async t => {
    const gateway = await start(t);
    const raw = await openWebSocket(t, gateway);
    raw.write(Buffer.concat(Array.from({ length: 550 }, () => frame('42["ping"]'))));
    await raw.until(text => text.includes('"rate_limited"'), 'the refusal');
    const pongs = raw.text.split('42["pong"]').length - 1;
    assert.ok(pongs >= 500 && pongs <= 549, `${pongs} pongs`);
    assert.ok(!raw.isClosed, 'who stops in time stays');
    raw.write(Buffer.concat(Array.from({ length: 1_000 }, () => frame('42["ping"]'))));
    await within(raw.closed, 'the end of the connection');
    const { text } = await request(gateway, '/metrics');
    assert.match(text, /shelfcast_connections_cut_total{reason="abuse"} 1\n/);
  });

  test('a message too many is acknowledged as refused, and its arguments do nothing', async t => {
    const gateway = await start(t);
    const client = await connect(t, gateway);
    // In two steps: more answers than the queue holds would leave no room for the acknowledgement.
    const pings = async count => {
      for (let i = 0; i < count; i += 1) client.send('ping');
      for (let i = 0; i < count; i += 1) await client.next('pong');
    };
    await pings(240);
    await pings(240);
    // Too many, but far from the hundred refusals after which the connection is ended.
    for (let i = 0; i < 70; i += 1) client.send('ping');
    const ack = await client.join('p1');
    assert.deepEqual(ack, { ok: false, code: 'rate_limited' });
    const { code } = await client.next('error');
    assert.equal(code, 'rate_limited');
    assert.equal((await gateway.health()).rooms.totalRooms, 0);
    await pause(500);   // Fifty a second come back.
    assert.equal((await client.join('p1')).ok, true);
  });

  test('who asks about a product again and again with a position is put off, and stays in the room', async t => {
    const gateway = await start(t);
    const client = await connect(t, gateway);
    const { cursor } = await client.next('connected');
    const all = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`p${i}`, cursor]));
    for (let i = 0; i < 5; i += 1) assert.equal((await client.joinAll(all)).ok, true);
    const late = await client.joinAll(all);
    assert.equal(late.ok, false);
    assert.ok(Object.values(late.results).includes('rate_limited'));
    assert.equal((await gateway.health()).rooms.totalRooms, 200);
  });
});

describe('too many products', () => {
  test('ten thousand joined by one socket are two hundred, and none when it is gone', async t => {
    const gateway = await start(t);
    const client = await connect(t, gateway);
    let joined = 0;
    for (let i = 0; i < 10_000; i += 1_000) {
      const ack = await client.join(Array.from({ length: 1_000 }, (_, n) => `p${i + n}`));
      joined += ack.joined.length;
      if (i > 0) assert.equal(Object.keys(ack.refused).length, 1_000);
    }
    assert.equal(joined, 200);
    assert.deepEqual((await gateway.health()).rooms, { totalRooms: 200, totalSubscribers: 1 });
    client.close();
    await until(async () => (await gateway.health()).rooms.totalRooms === 0, 'the rooms to be let go');
  });

  test('joining and leaving for ever leaves nothing behind', async t => {
    const gateway = await start(t);
    const client = await connect(t, gateway);
    for (let i = 0; i < 200; i += 1) {
      const ids = Array.from({ length: 200 }, (_, n) => `p${i}-${n}`);
      client.send('join_product', ids);
      client.send('leave_product', ids);
    }
    await client.settle();
    assert.deepEqual((await gateway.health()).rooms, { totalRooms: 0, totalSubscribers: 0 });
  });
});

describe('no protocol', () => {
  const requests = [
    'GET / HTTP/9.9\r\n\r\n', 'NONSENSE\r\n\r\n', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', '\0'.repeat(100), 'GET  /  HTTP/1.1\r\n\r\n',
    'GET /socket.io/ HTTP/1.1\r\nHost: x\r\n\r\n',
    'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n',
    'GET /socket.io/?EIO=3&transport=polling HTTP/1.1\r\nHost: x\r\n\r\n',
    'POST /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n40',
    'POST /socket.io/?EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAA HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n40',
    'POST /socket.io/?EIO=4&transport=polling&sid=%FF HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n',
    'GET /api/events?products=%00 HTTP/1.1\r\nHost: x\r\n\r\n', 'PUT /api/notify HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n',
    'OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n', 'CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n', 'TRACE / HTTP/1.1\r\nHost: x\r\n\r\n',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x09\x09\0\0\0\0',
  ];
  const packets = ['', '4', '9', '42', '42[', '42[]', '42[1]', '42{}', '42["join_product"', '40', '41', '43', '430[]', '4399999999999999999999[]', '42/other,["x"]', '45', '451-', '4é', '6', '2probe', '5', '0{}', '\0'];

  test('every request is answered or closed, and no descriptor stays open', async t => {
    const gateway = await start(t);
    await request(gateway, '/health/live');
    const before = openFiles(gateway);
    for (const bytes of requests) {
      const raw = new Raw(t, gateway).write(Buffer.from(bytes, 'latin1'));
      await within(Promise.race([raw.closed, raw.until(text => text.length > 0, 'a word').catch(() => {})]), `an end of ${JSON.stringify(bytes)}`, 20_000);
      raw.socket.destroy();
    }
    await until(() => openFiles(gateway) <= before + 2, 'the descriptors of before');
    assert.equal((await post(gateway, price('p1', 1))).status, 202);
  });

  test('no packet does more than end its own connection', async t => {
    const gateway = await start(t, { BATCH_WINDOW_MS: '20' });
    const client = await connect(t, gateway);
    await client.join('p1');
    const before = openFiles(gateway);
    for (const packet of packets) {
      const raw = await openWebSocket(t, gateway);
      raw.write(frame(packet));
      raw.write(frame('42["ping"]'));
      await Promise.race([raw.closed, raw.until(text => text.includes('42["pong"]'), 'a pong').catch(() => {})]);
      raw.socket.destroy();
    }
    await post(gateway, price('p1', 5));
    assert.equal((await client.nextBatch('p1')).count, 1);
    await until(() => openFiles(gateway) <= before + 2, 'the descriptors of before');
  });
});
