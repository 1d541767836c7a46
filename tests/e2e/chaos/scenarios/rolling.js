// A deploy: each of three pods in turn gets SIGTERM, hands its clients over, ends, and is started again before the next.
// Behind a load balancer that follows readiness nobody may notice but by one reconnection, and the reconnections may not
// come all at once. Some clients of each pod have stopped reading: they must not hold up its end.
import { Balancer } from '../balancer.js';
import { now } from '../history.js';
import { reportLoad } from '../load.js';
import { CatchUpMeter, LatencyMeter, ReconnectMeter, RefetchMeter, summary } from '../measure.js';
import { startSleepers } from '../sleeper.js';

const PODS = 3;
const END_SLACK_MS = 5_000;        // The contract's, after delay and spread.
const GIVE_UP_MS = 15_000;         // Beyond that: such a pod is killed, and the run goes on.
const UP_MS = 1_000;               // Until the balancer has seen the new pod, and some events through it.

/** What the sleepers get: enough to fill every buffer on the way while the pod drains. */
const LOUD = { product: 'loud', rate: 30, paddingBytes: 15_000 };
const ASLEEP_BEFORE_MS = 2_000;

export const scenarios = {
  rolling: {
    about: `${PODS} pods behind a balancer, SIGTERM one after the other, each started again; some clients of each do not read`,
    defaults: { times: 1, clients: 3_000, rate: 1_000, sleepers: 20, delayMs: 1_000, spreadMs: 10_000 },
    short: { times: 1, clients: 180, rate: 200, sleepers: 2, delayMs: 500, spreadMs: 4_000 },
    run: roll,
  },
};

async function roll(world) {
  const { times, delayMs, spreadMs } = world.options;
  const redis = await world.startRedis();
  await world.startPods(PODS, () => ({ REDIS_URL: redis.url, DRAIN_DELAY_MS: String(delayMs), DRAIN_SPREAD_MS: String(spreadMs) }));
  await world.startShoppers();
  const balancer = new Balancer(world.pods);
  const publisher = world.startPublishing();
  world.newPublisher({ rate: LOUD.rate, batch: [1, 1], paddingBytes: LOUD.paddingBytes, chooseProduct: () => LOUD.product }).start();
  world.shoppers.markLoad();
  const ends = [];
  for (let time = 1; time <= times; time++) {
    for (const pod of world.pods.all) ends.push(await replace(world, pod));
  }
  const load = world.shoppers.load;
  balancer.stop();
  await world.settle();

  const meters = [new ReconnectMeter(), new RefetchMeter(), new CatchUpMeter(), new LatencyMeter()];
  world.measure(...meters);
  const [reconnects, refetches, catchUp, latency] = meters;
  reportEnds(world, ends);
  reportReconnects(world, reconnects);
  reportPublishes(world, publisher.tries);
  world.report.must('words to refetch', refetches.said, refetches.count === 0, '0');
  world.report.times('away, from the loss to caught up', summary(catchUp.fromLoss));
  world.report.times('request to batch at a client', summary(latency.times));
  reportLoad(world.report, 'the shoppers', load);
}

/** SIGTERM, the end, and the new start. The balancer finds out by itself. */
async function replace(world, pod) {
  const { sleepers: count, delayMs, spreadMs } = world.options;
  const sleepers = await startSleepers(pod, [LOUD.product], { websocket: Math.ceil(count / 2), sse: Math.floor(count / 2) });
  for (const sleeper of sleepers) sleeper.stop();
  await world.pause(ASLEEP_BEFORE_MS);

  const began = world.fault(`${pod.name} gets SIGTERM`, { mark: 'drain' });
  process.kill(pod.pid, 'SIGTERM');
  const end = await Promise.race([pod.ended, world.pause(delayMs + spreadMs + END_SLACK_MS + GIVE_UP_MS).then(() => 'late')]);
  const ms = now() - began;
  if (end === 'late') await pod.kill9();
  for (const sleeper of sleepers) sleeper.destroy();
  world.fault(`${pod.name} has ended`);
  await pod.start();
  await world.pause(UP_MS);
  await world.shoppers.caughtUp();
  world.fault(`${pod.name} is back`, { mark: 'back' });
  world.sayStatus(`${pod.name} ended with ${end} after ${Math.round(ms)} ms`);
  return { end, ms };
}

function reportEnds({ report, options: { delayMs, spreadMs, sleepers } }, ends) {
  const bound = delayMs + spreadMs + END_SLACK_MS;
  const bad = ends.filter(({ end }) => end !== 0);
  report.figure('pods drained', ends.length);
  report.figure('clients of each that do not read', sleepers);
  report.must('pods that did not end with exit code 0', bad.map(({ end }) => end).join(', ') || 0, bad.length === 0, '0');
  const slowest = Math.round(Math.max(...ends.map(({ ms }) => ms)));
  report.must('slowest end, ms after SIGTERM', slowest, slowest <= bound, `<= ${bound}`);
}

/** The closes are even, so the reconnections are; what a second may have beside its share is chance. */
function reportReconnects({ report, options: { spreadMs } }, { drains, serverDisconnects }) {
  for (const [index, bins] of drains.entries()) {
    const sum = bins.reduce((total, count) => total + count, 0);
    const average = (sum * 1000) / spreadMs;
    const most = Math.max(0, ...bins);
    const bound = Math.ceil(2 * average + 3 * Math.sqrt(average));
    report.figure(`drain ${index + 1}: reconnections a second, from SIGTERM on`, bins.join(' '));
    report.must(`drain ${index + 1}: most in a second (average over the spread ${average.toFixed(0)})`, most, most <= bound, `<= ${bound}`);
  }
  report.must('clients that saw "io server disconnect"', serverDisconnects, serverDisconnects === 0, '0');
}

/** Where a try went the balancer still sent publishers, so a refusal there is a failure like any other. */
function reportPublishes(world, tries) {
  const { report } = world;
  const draining = tries.filter(({ status }) => status === 503).length;
  const broken = tries.filter(({ status }) => status === 0).length;
  const { unknown } = world.counts();
  report.figure('tries of publishers', tries.length);
  report.must('events that did not end in 202', unknown, unknown === 0, '0');
  report.must('tries answered 503, where the balancer still sent them', draining, draining === 0, '0');
  report.must('tries that got no answer', broken, broken === 0, '0');
}
