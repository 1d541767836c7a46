// Events on a Redis Pub/Sub channel, which every pod hears and one of them, the holder of a lease, appends. Losing the
// holder in any way must neither lose nor double a message; losing what was said on the channel must be told.
import { pause } from '../../support/wait.js';
import { countEvents } from '../log.js';
import { RefetchMeter, ToldMeter } from '../measure.js';
import { newEvents, recordPublish } from '../publisher.js';

const PODS = 3;
const CHANNEL = 'product-updates';
const UP_MS = 3_000;
const LOOK_MS = 500;            // Long enough for some messages, to see which pod appends them.
const TOLD_WITHIN_MS = 2_000;

export const scenarios = {
  channels: {
    about: 'messages on a channel heard by three pods, while the pod that appends is killed, stopped for 15 s (short: 6 s) and drained',
    defaults: { times: 10, clients: 100, rate: 200, stoppedMs: 15_000 },
    short: { times: 1, clients: 30, rate: 100, stoppedMs: 6_000 },
    run: loseHolders,
  },
  'channels-cut': {
    about: 'the Pub/Sub connections of all pods are cut at once',
    defaults: { times: 20, clients: 300, rate: 200 },
    short: { times: 1, clients: 30, rate: 100 },
    run: cutAll,
  },
};

async function loseHolders(world) {
  const { times } = world.options;
  const { redis, talker } = await startTalking(world);
  for (let time = 1; time <= times; time++) {
    for (const [what, lose] of [['killed', killed], ['stopped', stopped], ['drained', drained]]) {
      await world.pause(UP_MS);
      const holder = await holderOf(world.pods);
      world.fault(`${holder.name}, which appends, is ${what}`);
      await lose(world, holder);
      world.sayStatus(`${what}, ${time} of ${times}`);
    }
  }
  await talker.stop();
  await world.settle();

  const refetches = new RefetchMeter();
  world.measure(refetches);
  world.report.figure('holders lost', 3 * times);
  await reportEntries(world.report, redis, talker);
  world.report.must('words to refetch', refetches.count, refetches.count === 0, '0');
}

async function killed(world, pod) {
  await world.pods.kill9(pod);
  await world.pods.start(pod);
}

async function stopped(world, pod) {
  pod.stop();
  world.pods.takeOutOfService(pod);
  await world.pause(world.options.stoppedMs);
  pod.resume();
  world.pods.putInService(pod);
}

async function drained(world, pod) {
  await world.pods.drain(pod);
  await world.pods.start(pod);
}

async function cutAll(world) {
  const { times } = world.options;
  const { redis, talker } = await startTalking(world);
  for (let time = 1; time <= times; time++) {
    await world.pause(UP_MS);
    world.fault('all Pub/Sub connections are cut', { mark: 'began' });
    await redis.killSubscribers();
    world.sayStatus(`cut ${time} of ${times}`);
  }
  await world.pause(UP_MS);
  await talker.stop();
  await world.settle();

  const told = new ToldMeter();
  world.measure(told);
  world.report.figure('messages', talker.spoken);
  told.reportTo(world.report, TOLD_WITHIN_MS);
}

async function startTalking(world) {
  const redis = await world.startRedis();
  await world.startPods(PODS, () => ({ REDIS_URL: redis.url }));
  await world.startShoppers();
  const talker = new Talker(world, await redis.connect());
  talker.start();
  return { redis, talker };
}

/** The pod whose own appends grow: nothing but the channel brings events here. */
async function holderOf({ inService }) {
  const appended = pod => pod.metrics().then(metrics => metrics.get('shelfcast_events_appended_total'));
  const before = await Promise.all(inService.map(appended));
  await pause(LOOK_MS);
  const after = await Promise.all(inService.map(appended));
  const holder = inService.find((_, index) => after[index] > before[index]);
  if (!holder) throw new Error('no pod appends what is said on the channel');
  return holder;
}

/** Says events on the channel. Nobody answers there, so every outcome is unknown. */
class Talker {
  #world;
  #redis;
  #timer;
  spoken = 0;

  constructor(world, redis) {
    this.#world = world;
    this.#redis = redis;
  }

  start() {
    this.#timer = setInterval(() => this.#say(), 1_000 / this.#world.options.rate);
  }

  #say() {
    const { recorder, chooseProduct, random } = this.#world;
    const [event] = newEvents(1, chooseProduct, random);
    const request = recordPublish(recorder, [event]);
    recorder.record('unknown', { request });
    this.spoken += 1;
    this.#redis.command('PUBLISH', CHANNEL, JSON.stringify(event)).catch(error => this.#world.say(`the channel: ${error.message}`));
  }

  async stop() {
    clearInterval(this.#timer);
    await this.#redis.command('PING');   // Answers come in order: everything was said.
    this.#redis.close();
  }
}

async function reportEntries(report, redis, { spoken }) {
  const entries = await countEvents(redis);
  const several = [...entries.values()].filter(count => count > 1).length;
  report.must('messages with several entries', several, several === 0, '0');
  report.must('messages with an entry', entries.size, entries.size === spoken, String(spoken));
}
