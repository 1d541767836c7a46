// Redis stops answering for a while and then goes on, with everything it had. Nothing accepted may be lost; meanwhile
// publishers are refused soon and told when to come back, and are taken up again at once.
import { RefetchMeter, summary } from '../measure.js';

const PODS = 3;
const UP_MS = 3_000;              // Longer than the gateway's breaker may stay open: each outage meets a healthy gateway.
const REFUSED_WITHIN_MS = 2_500;
const ACCEPTING_WITHIN_MS = 1_000;

const defaults = { times: 20, clients: 300, rate: 2_000, outageMs: 10_000 };
const short = { times: 1, clients: 60, rate: 200, outageMs: 4_000 };

export const scenarios = {
  'redis-stop': {
    about: 'SIGSTOP of Redis for 10 s (short: 4 s)',
    defaults,
    short,
    run: world => suspendOften(world, async redis => {
      redis.stop();
      await world.pause(world.options.outageMs);
      redis.resume();
    }),
  },
  'redis-pause': {
    about: 'CLIENT PAUSE of Redis for 10 s (short: 4 s)',
    defaults,
    short,
    run: world => suspendOften(world, async redis => {
      await redis.pauseClients(world.options.outageMs);
      await world.pause(world.options.outageMs);
    }),
  },
};

async function suspendOften(world, suspend) {
  const { times } = world.options;
  const redis = await world.startRedis();
  await world.startPods(PODS, () => ({ REDIS_URL: redis.url }));
  await world.startShoppers();
  world.startPublishing();
  const probe = world.startProbe();
  const outages = [];
  for (let time = 1; time <= times; time++) {
    await world.pause(UP_MS);
    const began = world.fault('Redis does not answer');
    await suspend(redis);
    outages.push({ began, ended: world.fault('Redis answers') });
    world.sayStatus(`outage ${time} of ${times}`);
  }
  await world.pause(UP_MS);
  await world.settle();

  const refetches = new RefetchMeter();
  world.measure(refetches);
  world.report.figure('outages', times);
  reportRefusals(world, outages);
  reportRecovery(world.report, probe.tries, outages);
  world.report.goal('words to refetch', refetches.count, refetches.count === 0, '0');
}

/** Every try that was sent into an outage and not accepted. */
function reportRefusals({ report, tries }, outages) {
  const during = tries.filter(({ t, status }) => status !== 202 && outages.some(({ began, ended }) => t >= began && t <= ended));
  const refusals = during.filter(({ status }) => status === 503);
  const unanswered = during.length - refusals.length;
  const vague = refusals.filter(({ retryAfter }) => !/^\d+$/.test(retryAfter)).length;
  const slow = refusals.filter(({ ms }) => ms > REFUSED_WITHIN_MS).length;
  report.must('tries in an outage that got neither 202 nor 503', unanswered, unanswered === 0, '0');
  report.must('503 without Retry-After', vague, vague === 0, '0');
  report.goal(`503 after more than ${REFUSED_WITHIN_MS} ms`, slow, slow === 0, '0');
  report.times('503 in an outage', summary(refusals.map(({ ms }) => ms)));
}

/** The first 202 that a probe got after Redis went on. */
function reportRecovery(report, tries, outages) {
  const answered = tries.filter(({ status }) => status === 202).map(({ t, ms }) => t + ms);
  const firsts = outages.map(({ ended }) => Math.min(...answered.filter(at => at > ended)) - ended);
  const never = firsts.filter(ms => ms === Infinity).length;
  report.must('outages after which nothing was accepted', never, never === 0, '0');
  report.times('accepting again', summary(firsts.filter(ms => ms !== Infinity)), ACCEPTING_WITHIN_MS);
}
