// A sleeper knows a gap from a word about it, and hears nothing while it sleeps.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { WebSocketServer } from 'ws';

import { pause, until } from '../support/wait.js';
import { startSleepers } from './sleeper.js';

const batch = (previous, n) => ['batched_product_update', { productId: 'p', cursor: `e.${n}`, previousCursor: `e.${previous}`, events: [{}] }];
const emptyBatch = n => ['batched_product_update', { productId: 'p', cursor: `e.${n}`, previousCursor: `e.${n}`, events: [] }];

test('a batch that does not follow on the last one is a gap', async t => {
  const { sleeper, say } = await joined(t);
  say(batch(0, 1), batch(1, 2), batch(5, 6));
  await until(() => sleeper.gaps === 1, 'the gap to be seen');
  assert.equal(sleeper.wasTold, false);
});

test('a word to refetch explains what is missing, in either form', async t => {
  const { sleeper, say } = await joined(t);
  sleeper.stop();
  say(batch(0, 1), ['resync_required', { reason: 'slow' }], batch(5, 6), emptyBatch(8), batch(7, 9));
  await pause(100);
  assert.equal(sleeper.wasTold, false, 'it sleeps');
  sleeper.resume();
  await until(() => sleeper.wasTold, 'the word to be heard');
  await pause(50);
  assert.equal(sleeper.gaps, 0);
});

test('it sees that its connection is over', async t => {
  const { sleeper, server } = await joined(t);
  for (const socket of server.clients) socket.terminate();
  await until(() => sleeper.ended !== null, 'the end to be seen');
});

/** A sleeper on a server that says what it is told to. */
async function joined(t) {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await new Promise(resolve => server.once('listening', resolve));
  server.on('connection', socket => {
    socket.send('0{"sid":"s"}');
    socket.on('message', data => {
      const text = data.toString();
      if (text.startsWith('40')) socket.send('40{"sid":"s"}');
      if (text.startsWith('420')) socket.send('430[{"ok":true}]');
    });
  });
  const [sleeper] = await startSleepers({ url: `http://127.0.0.1:${server.address().port}` }, ['p'], { websocket: 1 });
  t.after(() => {
    sleeper.destroy();
    server.close();
  });
  const say = (...events) => { for (const socket of server.clients) for (const event of events) socket.send(`42${JSON.stringify(event)}`); };
  return { sleeper, server, say };
}
