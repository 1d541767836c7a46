// Each request is sent up to five times at once, through three pods, while answers are lost on both sides of them: on the
// way to the publisher (who must ask again) and from Redis to the pod (which cannot know what was done).
import { countEvents } from '../log.js';
import { RefetchMeter } from '../measure.js';

const PODS = 3;
const EVENTS_IN_REQUEST = 10;
const COPIES = [1, 5];
const LANES = 16;                   // Requests under way at once.
// Shares of the requests around which something is lost. Not at an interval: when only few requests are left, that would
// lose every one of their answers.
const LOST_ANSWER_SHARE = 0.5;      // Towards the publishers.
const LOST_REPLY_SHARE = 0.05;      // From Redis: each costs a pod its connection.
const PROGRESS_EVERY_MS = 5_000;

export const scenarios = {
  idempotent: {
    about: `requests of ${EVENTS_IN_REQUEST} events, each sent up to ${COPIES[1]} times with one Idempotency-Key, answers lost`,
    defaults: { times: 10_000, clients: 100, rate: 0 },
    short: { times: 200, clients: 30, rate: 0 },
    run,
  },
};

async function run(world) {
  const redis = await world.startRedis();
  const links = await startProxies(world, Array.from({ length: PODS }, () => redis.address));
  await world.startPods(PODS, index => ({ REDIS_URL: `redis://127.0.0.1:${links[index].port}`, LOG_RETENTION_SECS: '86400' }));
  const doors = await startProxies(world, world.pods.all.map(pod => ({ port: pod.port })));
  await world.startShoppers();
  const publisher = world.newPublisher({ urls: () => doors.map(door => `http://127.0.0.1:${door.port}`), giveUpAfterMs: 60_000 });

  world.fault('answers are lost');
  const progress = setInterval(() => world.sayStatus('publishing'), PROGRESS_EVERY_MS);
  await publishAll(world, publisher, () => {
    if (world.random.next() < LOST_ANSWER_SHARE) world.random.pick(doors).dropNextReply();
    if (world.random.next() < LOST_REPLY_SHARE) world.random.pick(links).dropNextReply();
  });
  clearInterval(progress);
  for (const proxy of [...doors, ...links]) proxy.heal();
  world.fault('answers arrive');
  await world.settle();
  await reportEntries(world, redis, publisher);
}

const startProxies = (world, targets) => Promise.all(targets.map(target => world.startProxy(target)));

async function publishAll({ options: { times }, random }, publisher, loseSomething) {
  let left = times;
  const lane = async () => {
    while (left-- > 0) {
      loseSomething();
      await publisher.publishCopies(EVENTS_IN_REQUEST, random.between(...COPIES));
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

async function reportEntries(world, redis, { counts, tries }) {
  const { report } = world;
  const entries = await countEvents(redis);
  const several = [...entries.values()].filter(count => count > 1).length;
  const refetches = new RefetchMeter();
  world.measure(refetches);
  report.figure('requests sent, all copies and tries', tries.length);
  report.figure('of these without an answer', tries.filter(({ status }) => status === 0).length);
  report.figure('of these answered 503', tries.filter(({ status }) => status === 503).length);
  report.must('events with several entries', several, several === 0, '0');
  const isComplete = entries.size >= counts.accepted && entries.size <= counts.events;
  report.must('events with an entry', entries.size, isComplete, `${counts.accepted} to ${counts.events}`);
  report.figure('words to refetch', refetches.count);
}
