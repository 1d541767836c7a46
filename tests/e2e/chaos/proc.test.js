// What is read from /proc is what the sockets and figures here are known to be.
import assert from 'node:assert/strict';
import net from 'node:net';
import { test } from 'node:test';

import { until } from '../support/wait.js';
import { MemoryWatch, affordable, descriptors, descriptorsMax, endsKey, memoryMb, tcpConnections } from './proc.js';

test('a connection is found from both ends, with what nobody has read and when it is over', async t => {
  // Goal: the key is the kernel's. Method: one connection from an address of its own; its server never reads.
  const server = net.createServer({ pauseOnConnect: true }, near => near.on('error', () => {}));
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const socket = net.connect({ port: server.address().port, host: '127.0.0.1', localAddress: '127.0.0.3' });
  await new Promise(resolve => socket.once('connect', resolve));
  const local = { address: '127.0.0.3', port: socket.localPort };
  const remote = { address: '127.0.0.1', port: server.address().port };
  socket.write('12345');
  await until(() => tcpConnections().get(endsKey(remote, local))?.unread === 5, 'the bytes to arrive');
  assert.equal(tcpConnections().get(endsKey(local, remote)).isOpen, true);
  socket.resetAndDestroy();
  await until(() => !tcpConnections().get(endsKey(remote, local))?.isOpen, 'the connection to be over');
});

test('a process has memory, descriptors and a limit of them', () => {
  assert.ok(memoryMb(process.pid) > 10);
  assert.ok(descriptors(process.pid) > 2);
  assert.equal(affordable(10, 0), 10);
  assert.equal(affordable(descriptorsMax(), 100), descriptorsMax() - 100);
});

test('a slope is found in what goes up and down', () => {
  const watch = new MemoryWatch(process.pid, () => 0);
  watch.stop();
  watch.samples = Array.from({ length: 100 }, (_, at) => ({ t: at * 1000, mb: 50 + at / 10 + (at % 2) }));
  assert.ok(Math.abs(watch.slopeMbPerMinute(0, 99_000) - 6) < 0.1);
  assert.equal(watch.peakMb(0, 10_000), 51.9);
});
