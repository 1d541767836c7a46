// A deploy loses nothing: what was accepted before SIGTERM reaches everybody who looks, and they come back.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { connect, ROADS } from './support/client.js';
import { Gateway } from './support/gateway.js';
import { notify, price } from './support/notify.js';
import { prices } from './support/shapes.js';
import { within } from './support/wait.js';

for (const road of Object.keys(ROADS)) {
  test(`over ${road} an open window leaves before the gateway does, and the client comes back`, async t => {
    // Goal: no accepted event is lost to a graceful end, and no client is told to stay away. Method: SIGTERM right
    // after the 202, while the window is open; then a new gateway on the same port.
    const gateway = await Gateway.start();
    t.after(() => gateway.stop());
    const client = await connect(t, gateway, { road, reconnection: true, reconnectionDelay: 50, reconnectionDelayMax: 200 });
    await client.join('p1');
    await notify(gateway, price('p1', 7));
    const ended = gateway.stop();
    assert.deepEqual(prices([await client.nextBatch('p1')]), [7]);
    const reason = await within(client.disconnected, 'the close');
    assert.notEqual(reason, 'io server disconnect', 'after which clients do not come back');
    await ended;

    const back = new Promise(resolve => client.socket.once('connect', resolve));
    await gateway.start();
    await within(back, 'the client to come back');
    const { ok } = await client.join('p1');
    assert.equal(ok, true);
  });
}
