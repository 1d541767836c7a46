// The log disappears under the gateway: all keys, the stream alone, or the part that a slow pod had not read yet. Redis
// reports no error for any of them. After FLUSHALL and for the slow pod everybody has to be told; where only the stream
// went, pods that had read all of it may go on, and whether that was right is for the judge of the history.
import { LOG_KEY } from '../log.js';
import { RefetchMeter, ToldMeter } from '../measure.js';

const PODS = 3;
const UP_MS = 3_000;           // Well over the time in which everybody has to be told.
const TOLD_WITHIN_MS = 2_000;
const LOG_MAX_EVENTS = 1_000;
const SLOW_BYTES_PER_SECOND = 10_000;
/** Until the slow pod's place in the log is gone at the rate of the run, twice over: trimming is approximate. */
const slowMs = rate => 4_000 + (2 * LOG_MAX_EVENTS * 1_000) / rate;

export const scenarios = {
  'wiped-flush': {
    about: 'FLUSHALL under load',
    defaults: { times: 20, clients: 300, rate: 1_000 },
    short: { times: 1, clients: 60, rate: 200 },
    async run(world) {
      await wipeOften(world, redis => redis.flushAll());
      reportTold(world);
    },
  },
  'wiped-del': {
    about: 'DEL of the log under load',
    defaults: { times: 20, clients: 300, rate: 1_000 },
    short: { times: 1, clients: 60, rate: 200 },
    async run(world) {
      await wipeOften(world, redis => redis.command('DEL', LOG_KEY));
      const refetches = new RefetchMeter();
      world.measure(refetches);
      world.report.figure('faults', world.options.times);
      world.report.figure('words to refetch', refetches.count);
    },
  },
  'wiped-trim': {
    about: `the log is trimmed past a pod that reads ${SLOW_BYTES_PER_SECOND} bytes/s of it`,
    defaults: { times: 10, clients: 300, rate: 2_000 },
    short: { times: 1, clients: 60, rate: 1_000 },
    run: trimOften,
  },
};

async function wipeOften(world, wipe) {
  const { times } = world.options;
  const redis = await world.startRedis();
  await world.startPods(PODS, () => ({ REDIS_URL: redis.url }));
  await world.startShoppers();
  world.startPublishing();
  for (let time = 1; time <= times; time++) {
    await world.pause(UP_MS);
    world.fault('the log is wiped', { mark: 'began' });
    await wipe(redis);
    world.sayStatus(`wiped, ${time} of ${times}`);
  }
  await world.pause(UP_MS);
  await world.settle();
}

async function trimOften(world) {
  const { times, rate } = world.options;
  const redis = await world.startRedis();
  const link = await world.startProxy(redis.address);
  await world.startPods(PODS, index => ({ LOG_MAX_EVENTS, REDIS_URL: index === 0 ? `redis://127.0.0.1:${link.port}` : redis.url }));
  await world.startShoppers();
  const [slow, ...others] = world.pods.all;
  world.startPublishing({ urls: () => others.map(pod => pod.url) });
  for (let time = 1; time <= times; time++) {
    await world.pause(UP_MS);
    world.fault(`${slow.name} reads slowly`, { mark: 'began', pods: [slow.name] });
    link.throttle(SLOW_BYTES_PER_SECOND);
    await world.pause(slowMs(rate));
    link.heal();
    world.fault(`${slow.name} reads fast again`, { mark: 'back' });
    world.sayStatus(`slow, ${time} of ${times}`);
  }
  await world.pause(UP_MS);
  await world.settle();
  reportTold(world);
}

function reportTold(world) {
  const told = new ToldMeter();
  world.measure(told);
  const detected = told.rounds.filter(round => round.untold === 0).length;
  world.report.must('faults detected', detected, detected === world.options.times, String(world.options.times));
  told.reportTo(world.report, TOLD_WITHIN_MS);
}
