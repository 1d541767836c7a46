// A failover that loses what was acknowledged: the replica hears nothing any more, the primary goes on accepting, dies,
// and the replica is promoted. Stopping the replica instead would prove nothing: the bytes would wait in the socket.
import { headOf } from '../log.js';
import { ToldMeter } from '../measure.js';

const PODS = 3;
const UP_MS = 2_000;
const DEAF_MS = 1_000;    // Events accepted in this time are lost.
const TELL_MS = 3_000;    // Well over the time in which everybody has to be told.
const TOLD_WITHIN_MS = 2_000;

export const scenarios = {
  failover: {
    about: 'a failover that loses acknowledged events: replication black-holed, primary killed, replica promoted',
    defaults: { times: 30, clients: 300, rate: 1_000 },
    short: { times: 1, clients: 60, rate: 200 },
    run,
  },
};

async function run(world) {
  const { times } = world.options;
  let primary = await world.startRedis();
  const replication = await world.startProxy(primary.address);
  let replica = await world.startRedis({ replicaOf: { host: '127.0.0.1', port: replication.port } });
  const service = await world.startProxy(primary.address);   // What pods know as "the primary".
  await world.startPods(PODS, () => ({ REDIS_URL: `redis://127.0.0.1:${service.port}` }));
  await world.startShoppers();
  world.startPublishing();
  let lost = 0;
  for (let time = 1; time <= times; time++) {
    await replica.synced();
    await world.pause(UP_MS);
    replication.blackHole();
    world.fault('the replica hears nothing');
    await world.pause(DEAF_MS);
    lost += await headOf(primary) - await headOf(replica);
    world.fault('the primary is killed', { mark: 'began' });
    await primary.kill9();
    await replica.promote();
    service.retarget(replica.address);
    service.resetAll();
    world.fault('the replica is the primary', { mark: 'back' });
    await world.pause(TELL_MS);
    world.sayStatus(`failover ${time} of ${times}`);

    replication.heal();
    replication.retarget(replica.address);
    await primary.start({ replicaOf: { host: '127.0.0.1', port: replication.port } });
    [primary, replica] = [replica, primary];
  }
  await world.settle();

  const told = new ToldMeter();
  world.measure(told);
  world.report.must('acknowledged events that the failovers lost', lost, lost > 0, '> 0, or it proves nothing');
  const detected = told.rounds.filter(round => round.untold === 0).length;
  world.report.must('failovers detected', detected, detected === times, String(times));
  told.reportTo(world.report, TOLD_WITHIN_MS);
}
