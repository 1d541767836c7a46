// Two primaries: some pods write to one, some to the other, both sides accept. Then one side is thrown away and all pods
// meet on the other. What only the losing side had is gone, so everyone it concerns must be told.
import { ToldMeter } from '../measure.js';

const PODS = 3;
const UP_MS = 2_000;
const SPLIT_MS = 5_000;
const TELL_MS = 3_000;    // Well over the time in which everybody has to be told.
const TOLD_WITHIN_MS = 2_000;

export const scenarios = {
  'split-brain': {
    about: 'two primaries for 5 s, pods split between them, then one side is thrown away',
    defaults: { times: 10, clients: 300, rate: 1_000 },
    short: { times: 1, clients: 60, rate: 200 },
    run,
  },
};

async function run(world) {
  const { times } = world.options;
  let primary = await world.startRedis();
  let other = await world.startRedis({ replicaOf: primary.address });
  const links = await Promise.all(Array.from({ length: PODS }, () => world.startProxy(primary.address)));
  await world.startPods(PODS, index => ({ REDIS_URL: `redis://127.0.0.1:${links[index].port}` }));
  await world.startShoppers();
  world.startPublishing();
  for (let time = 1; time <= times; time++) {
    await other.synced();
    await world.pause(UP_MS);
    world.fault('two primaries', { mark: 'began' });
    await other.promote();
    const minority = world.random.pick(links);
    lead([minority], other);
    await world.pause(SPLIT_MS);

    // Either side may lose: the many or the one.
    if (world.random.next() < 0.5) [primary, other] = [other, primary];
    await other.follow(primary.address);
    lead(links, primary);
    world.fault('one primary', { mark: 'back' });
    await world.pause(TELL_MS);
    world.sayStatus(`split ${time} of ${times}`);
  }
  await world.settle();

  const told = new ToldMeter();
  world.measure(told);
  told.reportTo(world.report, TOLD_WITHIN_MS);
}

/** From now on these links lead to `server`. */
function lead(links, server) {
  for (const link of links) {
    link.retarget(server.address);
    link.resetAll();
  }
}
