// Redis dies and comes back: empty, or with what its append-only file had. An empty one is another log, and everybody
// must be told; one with all its data need not cost anything, but nobody may be left behind.
import { RefetchMeter, ToldMeter } from '../measure.js';

const PODS = 3;
const UP_MS = 3_000;           // Well over the time in which everybody has to be told.
const DOWN_MS = [100, 2_000];
const TOLD_WITHIN_MS = 2_000;

export const scenarios = {
  'redis-kill': {
    about: 'kill -9 of a Redis without persistence, which comes back empty',
    defaults: { times: 50, clients: 1_000, rate: 1_000 },
    short: { times: 1, clients: 90, rate: 200 },
    async run(world) {
      await killOften(world, 'none');
      const told = new ToldMeter();
      world.measure(told);
      told.reportTo(world.report, TOLD_WITHIN_MS);
    },
  },
  'redis-kill-aof': {
    about: 'kill -9 of a Redis with an append-only file, which comes back with it',
    defaults: { times: 50, clients: 1_000, rate: 1_000 },
    short: { times: 1, clients: 90, rate: 200 },
    async run(world) {
      await killOften(world, 'aof');
      const refetches = new RefetchMeter();
      world.measure(refetches);
      world.report.figure('faults', world.options.times);
      world.report.figure('words to refetch', refetches.count);
    },
  },
};

async function killOften(world, persistence) {
  const { times } = world.options;
  const redis = await world.startRedis({ persistence });
  await world.startPods(PODS, () => ({ REDIS_URL: redis.url }));
  await world.startShoppers();
  world.startPublishing();
  for (let time = 1; time <= times; time++) {
    await world.pause(UP_MS);
    world.fault('Redis is killed', { mark: 'began' });
    await redis.kill9();
    await world.pause(world.random.between(...DOWN_MS));
    await redis.start();
    world.fault('Redis is back', { mark: 'back' });
    world.sayStatus(`kill ${time} of ${times}`);
  }
  await world.pause(UP_MS);
  await world.settle();
}
