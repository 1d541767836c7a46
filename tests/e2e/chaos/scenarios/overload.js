// Five times as many events as the gateway can take. First it is asked how many that is: of a few connections that post as
// fast as they can, and of the thousands that will flood it, posting in turn at a rate at which none is refused. Then those
// want five times that, whatever it answers. It must go on accepting as much, refuse the rest with a time to come back,
// and not collect anything: neither memory nor delay. Meanwhile a few shoppers look at products of a publisher that
// behaves. Afterwards the thousands post in turn once more: that they bring less than before may be the gateway, harmed, or
// a machine that others use.
import { Flood, hasCores, keepOnCore } from '../flood.js';
import { now } from '../history.js';
import { reportLoad } from '../load.js';
import { LatencyMeter, RefetchMeter, summary } from '../measure.js';
import { MemoryWatch } from '../proc.js';

const BATCHES = [20, 1];
const RAMP = [16, 64, 256];
/** Shares of what a few connections bring, from above: what many bring without a refusal is less. */
const SUSTAINED_SHARES = [1, 0.85, 0.7, 0.55, 0.4];
const SUSTAINED_MIN = 0.98;
const OVER = 5;
const GOODPUT_MIN = 0.9;
/** Less is harm that a flood has done for good. */
const RECOVERED_MIN = 0.75;
const OFFERED_MIN = 0.98;
/** A generator that takes more of its core offers what it can, not what it should. */
const GENERATOR_CPU_MAX = 0.85;
const ACCEPTED_WITHIN_MS = 1_000;
const MEMORY_MB_PER_MINUTE_MAX = 16;
const JUDGED_FROM_MS = 30_000;
const COOL_DOWN_MS = 1_000;
/** Reached while the peak is looked for: then the log is as large as it gets, and what still grows is something else. */
const LOG = { LOG_MAX_EVENTS: '100000', LOG_MAX_BYTES: String(64 * 1024 * 1024) };
/** Of two cores: the gateway with its Redis, and everybody else. */
const [GATEWAY_CORE, OTHER_CORE] = [0, 1];

const defaults = { times: 1, clients: 100, rate: 20, rampMs: 6_000, overMs: 60_000, connections: 2_000 };
const short = { times: 1, clients: 30, rate: 20, rampMs: 1_000, overMs: 2_000, connections: 1_000 };

export const scenarios = {
  overload: {
    about: 'five times as many events as a gateway without Redis can take, for 60 s (short: 2 s)',
    defaults,
    short,
    run: world => overload(world, () => ({})),
  },
  'overload-redis': {
    about: 'the same with a gateway on Redis',
    defaults,
    short,
    async run(world) {
      const redis = await world.startRedis();
      await overload(world, () => ({ REDIS_URL: redis.url }), redis);
    },
  },
};

async function overload(world, envOf, redis) {
  await world.startPods(1, () => ({ ...LOG, ...envOf() }));
  const [pod] = world.pods.all;
  separate(world, pod, redis);
  await world.startShoppers();
  world.startPublishing({ batch: [1, 5] });
  const memory = new MemoryWatch(pod.pid, now);
  const flood = new Flood(pod.port);
  const runs = [];
  for (const batch of BATCHES) runs.push(await peakAndOver(world, flood, batch));
  memory.stop();
  flood.close();
  await world.settle();

  for (const run of runs) reportRun(world, run, memory);
  const latency = new LatencyMeter();
  const refetches = new RefetchMeter();
  world.measure(latency, refetches);
  world.report.times('request to batch, of the publisher that behaves', summary(latency.times));
  world.report.figure('words to refetch: the log holds seconds of this', refetches.said);
}

function separate(world, pod, redis) {
  if (!hasCores()) {
    world.say('NOTE: gateway and generator share the cores here, so the generator takes the time of the gateway');
    world.report.figure('cores', 'shared');
    return;
  }
  keepOnCore(process.pid, OTHER_CORE);
  keepOnCore(pod.pid, GATEWAY_CORE);
  if (redis) keepOnCore(redis.pid, GATEWAY_CORE);
  world.report.figure('cores', `${redis ? 'gateway and Redis' : 'gateway'} on one, everything else on another`);
}

async function peakAndOver(world, flood, batch) {
  const { rampMs, overMs, connections } = world.options;
  const ramp = [];
  for (const count of RAMP) {
    const result = await flood.closedLoop({ batch, connections: count, ms: rampMs });
    ramp.push({ connections: count, ...result, goodput: result.events / result.seconds });
  }
  const peak = ramp.reduce((best, step) => (step.goodput > best.goodput ? step : best));
  world.say(`${batch} a request: peak ${Math.round(peak.goodput)} events/s at ${peak.connections} connections`);
  await world.pause(COOL_DOWN_MS);
  const sustained = await sustain(world, flood, batch, peak);

  const rate = (sustained.goodput / batch) * OVER;
  world.fault(`${Math.round(rate * batch)} events/s in requests of ${batch}`);
  const from = now();
  const over = await flood.openLoop({ batch, connections, rate, ms: overMs });
  const to = now();
  world.fault('the overload is over');
  await world.pause(COOL_DOWN_MS);
  const after = await inTurn(world, flood, batch, sustained.rate);
  world.sayStatus(`${batch} a request, offered ${Math.round(over.sent / over.seconds)} of ${Math.round(rate)} requests/s`);
  await world.pause(COOL_DOWN_MS);
  return { batch, ramp, peak, sustained, after, rate, over, from, to };
}

/** The most that all the connections together bring, at rates from above down to one of which all is accepted. */
async function sustain(world, flood, batch, peak) {
  const { connections } = world.options;
  let best = { goodput: 0, rate: 0 };
  for (const share of SUSTAINED_SHARES) {
    const rate = (peak.goodput / batch) * share;
    const goodput = await inTurn(world, flood, batch, rate);
    if (goodput > best.goodput) best = { goodput, rate };
    await world.pause(COOL_DOWN_MS);
    if (goodput >= rate * batch * SUSTAINED_MIN) break;
  }
  world.say(`${batch} a request: ${connections} connections keep up ${Math.round(best.goodput)} events/s`);
  return best;
}

/** Events a second that are accepted when all the connections post in turn at this rate. */
async function inTurn(world, flood, batch, rate) {
  const { rampMs, connections } = world.options;
  const { events, seconds } = await flood.openLoop({ batch, connections, rate, ms: rampMs });
  return events / seconds;
}

function reportRun(world, run, memory) {
  const { report } = world;
  const { batch, ramp, peak, sustained, after, over } = run;
  const a = what => `${batch} a request: ${what}`;
  const goodput = over.events / over.seconds;
  const share = goodput / sustained.goodput;
  report.figure(a('connections in a closed loop: events/s'), ramp.map(step => `${step.connections}: ${Math.round(step.goodput)}`).join(', '));
  report.figure(a('peak of a few connections, events/s'), Math.round(peak.goodput));
  const many = `${Math.round(sustained.goodput)} before, ${Math.round(after)} after (${Math.round((sustained.goodput / peak.goodput) * 100)} % of that)`;
  report.figure(a(`what ${world.options.connections} connections keep up, events/s`), many);
  reportOffer(report, a, run);
  const ofPeak = Math.round((goodput / peak.goodput) * 100);
  const said = `${Math.round(goodput)} (${Math.round(share * 100)} % of what they keep up, ${ofPeak} % of the peak of a few)`;
  judge(world, a('goodput, events/s'), said, share >= GOODPUT_MIN, `>= ${GOODPUT_MIN * 100} %`);
  const recovered = after / sustained.goodput;
  judge(world, a('kept up after the flood'), `${Math.round(recovered * 100)} %`, recovered >= RECOVERED_MIN, `>= ${RECOVERED_MIN * 100} %`);
  reportDelay(world, a, run);
  report.figure(a('answers by status'), Object.entries(over.statuses).map(([status, count]) => `${status}: ${count}`).join(', '));
  report.must(a('answers but 202, 429 and 503'), over.otherAnswers, over.otherAnswers === 0, '0');
  report.must(a('429 or 503 without Retry-After'), over.withoutRetryAfter, over.withoutRetryAfter === 0, '0');
  report.figure(a('connections that failed or ended before the answer'), over.brokenConnections);
  reportMemory(world, a, memory, run);
  reportLoad(report, `the generator, ${batch} a request`, over.load);
}

/** A few seconds on a busy machine say little about a peak, a delay or a slope: there it is only said. */
function judge({ report, options: { overMs } }, ...figure) {
  if (overMs >= JUDGED_FROM_MS) report.must(...figure);
  else report.goal(...figure);
}

/** Where every connection waits and the generator has time left, it is the gateway that neither takes nor refuses. */
function reportOffer(report, a, { batch, sustained, rate, over }) {
  const offered = over.sent / over.seconds;
  const isOffered = offered >= rate * OFFERED_MIN;
  report.figure(a('wanted offer, requests/s'), Math.round(rate));
  const said = `${Math.round(offered)} (${((offered * batch) / sustained.goodput).toFixed(1)} times what they keep up)`;
  report.goal(a('offered, requests/s'), said, isOffered, `${OVER} times`);
  if (isOffered) return;
  const isBusy = over.load.cpu > GENERATOR_CPU_MAX;
  report.figure(a('it was not more because'), isBusy ? 'the generator is at its end' : 'every connection waited for its answer');
}

function reportDelay(world, a, { over }) {
  const { report } = world;
  const { p99 } = over.accepted202;
  report.times(a('accepted after'), over.accepted202);
  judge(world, a('bound of what was accepted, p99 ms'), p99, p99 !== null && p99 <= ACCEPTED_WITHIN_MS, `<= ${ACCEPTED_WITHIN_MS}`);
  report.times(a('refused after'), over.refusals);
}

/** The first quarter is left out: queues and buffers get their size. */
function reportMemory(world, a, memory, { from, to }) {
  const slope = memory.slopeMbPerMinute(from + (to - from) / 4, to);
  world.report.figure(a('memory at most, MB'), Math.round(memory.peakMb(from, to)));
  judge(world, a('memory, MB more a minute'), Math.round(slope), slope <= MEMORY_MB_PER_MINUTE_MAX, `<= ${MEMORY_MB_PER_MINUTE_MAX}`);
}
