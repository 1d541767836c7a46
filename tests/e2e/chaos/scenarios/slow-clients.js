// Some clients stop reading while events go on, and the others must not feel it: they miss nothing and get nothing later,
// each sleeper is told or cut soon, and the gateway's memory does not grow with what they do not take.
//
// Between the gateway and such a client lie the kernel's buffers. Until they are full nobody can tell a client that does
// not read from one that has nothing to read; so how much they take, and how long, is reported beside the times.
import { now } from '../history.js';
import { Load, reportLoad, together } from '../load.js';
import { PhaseLatencyMeter, summary } from '../measure.js';
import { MemoryWatch, tcpConnections } from '../proc.js';
import { productName } from '../random.js';
import { startSleepers } from '../sleeper.js';

const PADDING_BYTES = 1_000;
/** From full buffers: before that nobody can know. */
const GONE_WITHIN_MS = 12_000;
/** Buffers are full after three seconds or so. */
const ALL_GONE_AFTER_MS = 16_000;
const MEMORY_MB_MAX = 100;
const LOOK_EVERY_MS = 250;
const WARM_UP_MS = 2_000;      // Windows, queues and buffers get their size.
const SETTLE_MS = 3_000;       // A sleeper that reads on has what was kept for it.
const SHARES = { websocket: 0.45, sse: 0.4, polling: 0.15 };
/** Some read on before they can be cut, and must have everything or be told. */
const SHARE_WAKING = 0.1;
const WAKE_AFTER_MS = 6_000;
const BURST = { requests: 40, events: 20 };
const BURST_MS = 3_000;
/** The p99 of the others may be this much of what it was. */
const LATER_MAX = 1.2;
/** All sleepers look at the same few products, where more happens: it fills the buffers. Some of the others do, too. */
const LOUD_PRODUCTS = Array.from({ length: 4 }, (_, index) => productName(index));

export const scenarios = {
  'slow-clients': {
    about: 'a tenth of the clients stop reading while events of 1 KB go on',
    defaults: { times: 1, clients: 1_800, sleepers: 200, rate: 100, loudRate: 60, baselineMs: 15_000, stuckMs: 30_000, products: 200 },
    short: { times: 1, clients: 60, sleepers: 12, rate: 60, loudRate: 60, baselineMs: 3_000, stuckMs: 17_000 },
    run: fallAsleep,
  },
};

async function fallAsleep(world) {
  const { sleepers: count, baselineMs, stuckMs, rate, loudRate, clients } = world.options;
  await world.startPods(1, () => ({}));
  const [pod] = world.pods.all;
  await world.startShoppers();
  const counts = Object.fromEntries(Object.entries(SHARES).map(([transport, share]) => [transport, Math.round(count * share)]));
  const crowd = new Sleepers(await startSleepers(pod, LOUD_PRODUCTS, counts));
  world.say(`${crowd.all.length} more have joined, which will fall asleep`);
  world.startPublishing({ paddingBytes: PADDING_BYTES, batch: [1, 10] });
  const chooseLoud = () => world.random.pick(LOUD_PRODUCTS);
  const loud = world.newPublisher({ rate: loudRate, batch: [1, 10], paddingBytes: PADDING_BYTES, chooseProduct: chooseLoud });
  loud.start();
  await world.pause(WARM_UP_MS);

  const memory = new MemoryWatch(pod.pid, now);
  const awake = await phase(world, 'all read', async measure => {
    measure();
    await world.pause(baselineMs);
  });
  const opened = await connections(pod);
  const asleep = await phase(world, `${crowd.all.length} do not read`, async measure => {
    world.fault('some clients stop reading');
    crowd.stop();
    burst(loud);
    await world.pause(BURST_MS);
    measure();
    await wake(world, crowd);
    crowd.connectionsLeft = await connections(pod);
    await world.pause(stuckMs - ALL_GONE_AFTER_MS);
  });
  memory.stop();
  crowd.stopWatching();
  for (const sleeper of crowd.all) sleeper.resume();
  await world.pause(SETTLE_MS);
  const woken = [outcome('streams', crowd.waking), outcome('polling', crowd.polling)];   // Before the gateway ends.
  await world.settle();

  world.report.figure('clients that read all the time', clients);
  world.report.figure('events a second', rate + loudRate);
  reportLatency(world, awake, asleep);
  reportMemory(world.report, memory, awake, asleep);
  reportSleepers(world.report, crowd, opened);
  for (const [name, said] of woken) world.report.figure(name, said);
  for (const sleeper of crowd.all) sleeper.destroy();
}

/** More than the buffers of a sleeper should take. Not before the sleep: Linux makes room for what a socket once read. */
function burst(loud) {
  for (let request = 0; request < BURST.requests; request++) loud.publishCopies(BURST.events, 1);
}

/** Some read on soon, the rest never; those that poll ask again when the others have to be gone. */
async function wake(world, crowd) {
  await world.pause(WAKE_AFTER_MS - BURST_MS);
  for (const sleeper of crowd.waking) sleeper.resume();
  await world.pause(ALL_GONE_AFTER_MS - WAKE_AFTER_MS);
  for (const sleeper of crowd.polling) sleeper.resume();
}

/** What happens, and how busy the harness was; times are measured from where it says so, when the burst is over. */
async function phase(world, name, happen) {
  const load = new Load();
  const began = now();
  let from;
  await happen(() => {
    load.mark();
    world.shoppers.markLoad();
    from = now();
  });
  world.sayStatus(name);
  return { name, began, from, to: now(), load: together([load.figures, world.shoppers.load]) };
}

async function connections(pod) {
  const metrics = await pod.metrics();
  return ['socketio', 'sse'].reduce((sum, transport) => sum + (metrics.get(`shelfcast_connections{transport="${transport}"}`) ?? 0), 0);
}

/** The sleepers, and what becomes of their sockets as the kernel shows it: they themselves do not look. */
class Sleepers {
  #timer;
  /** Sleeper -> `{ unsent, unread, fullAt, goneAt, seenAt }`: bytes in the kernel at the gateway's and at the client's end, when
   *  they stopped growing, when each end was found closed. */
  fates = new Map();
  connectionsLeft = 0;

  constructor(all) {
    this.all = all;
    this.polling = all.filter(({ transport }) => transport === 'polling');
    const streams = all.filter(({ transport }) => transport !== 'polling');
    this.waking = streams.filter((_, index) => index % Math.round(1 / SHARE_WAKING) === 0);
    this.sleeping = streams.filter(sleeper => !this.waking.includes(sleeper));
  }

  stop() {
    for (const sleeper of this.all) sleeper.stop();
    for (const sleeper of this.sleeping) this.fates.set(sleeper, { unsent: 0, unread: 0, fullAt: now(), goneAt: null, seenAt: null });
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS);
  }

  stopWatching() {
    clearInterval(this.#timer);
  }

  #look() {
    const open = tcpConnections();
    const t = now();
    for (const [sleeper, fate] of this.fates) {
      const [gateway, client] = [open.get(sleeper.gatewayKey), open.get(sleeper.clientKey)];
      if (!gateway?.isOpen) fate.goneAt ??= t;
      if (!client?.isOpen) fate.seenAt ??= t;
      const [unsent, unread] = [gateway?.unsent ?? 0, client?.unread ?? 0];
      if (unsent + unread > fate.unsent + fate.unread) Object.assign(fate, { unsent, unread, fullAt: t });
    }
  }
}

/** Side by side: the machine is the same, so what differs is what the sleepers did. */
function reportLatency(world, awake, asleep) {
  const meter = new PhaseLatencyMeter([awake, asleep]);
  world.measure(meter);
  const [before, after] = meter.times.map(summary);
  for (const name of ['count', 'p50', 'p99', 'max']) {
    const what = `accepted to received, ${name === 'count' ? name : `${name} ms`}: ${awake.name} | ${asleep.name}`;
    world.report.figure(what, `${before[name]} | ${after[name]}`);
  }
  world.report.goal('p99 with the sleepers to p99 without', ratio(after.p99, before.p99), after.p99 <= before.p99 * LATER_MAX, `<= ${LATER_MAX}`);
  for (const { name, load } of [awake, asleep]) reportLoad(world.report, `the harness, ${name}`, load);
}

const ratio = (one, other) => (one / other).toFixed(2);

function reportMemory(report, memory, awake, asleep) {
  const base = memory.peakMb(awake.began, awake.to);
  const peak = memory.peakMb(asleep.began, asleep.to);
  report.figure('memory of the gateway while all read, at most MB', Math.round(base));
  report.must('memory more while some do not, at most MB', Math.round(peak - base), peak - base <= MEMORY_MB_MAX, `<= ${MEMORY_MB_MAX}`);
}

function reportSleepers(report, { all, sleeping, fates, connectionsLeft }, opened) {
  const since = name => sleeping.filter(sleeper => fates.get(sleeper)[name] !== null).map(sleeper => fates.get(sleeper)[name] - sleeper.stopped);
  const [gone, seen] = [since('goneAt'), since('seenAt')];
  const fromFull = [...fates.values()].filter(({ goneAt }) => goneAt !== null).map(({ goneAt, fullAt }) => goneAt - fullAt);
  const inTime = fromFull.filter(ms => ms <= GONE_WITHIN_MS).length;
  const buffers = name => sleeping.map(sleeper => fates.get(sleeper)[name] / 1024);
  const [unsent, unread] = [buffers('unsent'), buffers('unread')];
  report.figure('clients that stop reading for good', sleeping.length);
  report.figure('kernel buffers of one of them at the gateway, at most KB', Math.round(Math.max(...unsent)));
  report.figure('kernel buffers of one of them at the client, at most KB', Math.round(Math.max(...unread)));
  report.figure('kernel buffers of all of them at the gateway, at most MB', Math.round(unsent.reduce((sum, kb) => sum + kb, 0) / 1024));
  report.times('from the stop to full buffers', summary(since('fullAt')));
  report.times('from the stop to the cut, at the gateway', summary(gone));
  report.times('from the stop to the cut, at the client', summary(seen));
  report.times('from full buffers to the cut', summary(fromFull));
  report.must(`cut within ${GONE_WITHIN_MS / 1000} s of full buffers`, inTime, inTime === sleeping.length, String(sleeping.length));
  const fewer = opened - connectionsLeft;
  report.must('connections fewer by the metric', fewer, fewer >= sleeping.length, `>= ${sleeping.length}`);
  const gaps = all.filter(sleeper => sleeper.gaps > 0).length;
  report.must('sleepers with a gap that nobody told', gaps, gaps === 0, '0');
}

/** Whichever it is, it is no silent gap: everything was kept, or the client was told, or it lost its connection. */
function outcome(name, sleepers) {
  const cut = sleepers.filter(({ ended }) => ended !== null).length;
  const told = sleepers.filter(({ ended, wasTold }) => ended === null && wasTold).length;
  return [`${sleepers.length} ${name} that wake up`, `${told} told, ${cut} cut, ${sleepers.length - told - cut} had everything`];
}
