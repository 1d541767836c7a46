// Three pods on one Redis lose a pod again and again. Redis stays, so nothing accepted may be lost, and nobody need be
// told to refetch: those who come back say where they were and get what they missed.
import { CatchUpMeter, LatencyMeter, RefetchMeter, summary } from '../measure.js';

const PODS = 3;
const UP_MS = [300, 1_200];     // Between two ends: any part of a window, and some reconnects still under way.
const DOWN_MS = [100, 700];

export const scenarios = {
  pods: {
    about: `${PODS} pods, kill -9 a random one and start it again`,
    defaults: { times: 100, clients: 1_000, rate: 2_000 },
    short: { times: 3, clients: 90, rate: 300 },
    run: loseOften,
  },
};

async function loseOften(world) {
  const { times } = world.options;
  const redis = await world.startRedis();
  await world.startPods(PODS, () => ({ REDIS_URL: redis.url }));
  await world.startShoppers();
  world.startPublishing();
  for (let time = 1; time <= times; time++) {
    await world.pause(world.random.between(...UP_MS));
    const pod = world.random.pick(world.pods.inService);
    world.fault(`${pod.name} ends`);
    await world.pods.kill9(pod);
    await world.pause(world.random.between(...DOWN_MS));
    await world.pods.start(pod);
    world.fault(`${pod.name} is back`);
    world.sayStatus(`${pod.name} lost, ${time} of ${times}`);
  }
  await world.settle();

  const catchUp = new CatchUpMeter();
  const refetches = new RefetchMeter();
  const latency = new LatencyMeter();
  world.measure(catchUp, refetches, latency);
  world.report.figure('pods lost', times);
  world.report.times('catch-up, from the connection', summary(catchUp.fromConnect), 1_000);
  world.report.times('away, from the loss to caught up', summary(catchUp.fromLoss));
  world.report.times('request to batch at a client', summary(latency.times));
  world.report.goal('words to refetch', refetches.count, refetches.count === 0, '0');
}
