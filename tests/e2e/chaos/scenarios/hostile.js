// Everything at once that clients can do to a gateway which they do not like, while shoppers look and publishers post.
// The shoppers must get everything and every post must be taken; when the attack is over, what it cost is given back.
// `--times` has the attack come again: memory that is only kept for the next time does not grow with it.
import { request } from '../../support/http.js';
import { Attackers } from '../attackers.js';
import { now } from '../history.js';
import { Load, reportLoad } from '../load.js';
import { PhaseLatencyMeter, summary } from '../measure.js';
import { MemoryWatch, affordable, descriptors, descriptorsMax, memoryMb } from '../proc.js';

const ATTACKER_PROCESSES = 4;
const BASELINE_MS = 5_000;
const PROBE_EVERY_MS = 200;
const SLOW_GONE_WITHIN_MS = 15_000;
const RECOVERED_WITHIN_MS = 60_000;
/** What is left of a limit of descriptors for everything but the idle: shoppers, publishers, the other attackers. */
const OTHER_DESCRIPTORS = 6_000;
/** Recovered: as many descriptors, but for what shoppers and publishers happen to have open. */
const DESCRIPTORS_MORE_MAX = 50;
const MEMORY_MORE_MAX = { share: 0.2, mb: 64 };   // Whichever is more.

const ATTACKS = { idle: 10_000, idleSession: 500, slow: 2_000, oversized: 60, joinFlood: 6, garbage: 40, handshakes: 40 };
const FEW_ATTACKS = { idle: 300, idleSession: 20, slow: 60, oversized: 6, joinFlood: 3, garbage: 6, handshakes: 4 };

export const scenarios = {
  hostile: {
    about: 'idle and slow connections by the thousand, oversized frames, floods of joins and handshakes, garbage: all at once for 30 s',
    defaults: { times: 1, clients: 500, rate: 200, attackMs: 30_000, attacks: ATTACKS },
    short: { times: 1, clients: 60, rate: 100, attackMs: 16_000, attacks: FEW_ATTACKS },
    run: attack,
  },
};

async function attack(world) {
  const attacks = affordableAttacks(world);
  await world.startPods(1, () => ({}));
  const [pod] = world.pods.all;
  await world.startShoppers();
  const publisher = world.startPublishing({ batch: [1, 10] });
  const live = probeLive(pod);
  const memory = new MemoryWatch(pod.pid, now);

  const calm = { from: now() };
  await world.pause(BASELINE_MS);
  const before = { descriptors: descriptors(pod.pid), mb: memoryMb(pod.pid) };
  calm.to = now();
  const waves = [];
  for (let time = 1; time <= world.options.times; time++) {
    const wave = await underAttack(world, pod, attacks, memory);
    waves.push({ ...wave, recovery: await recovered(world, pod, before) });
  }
  live.stop();
  memory.stop();
  await world.settle();

  world.report.figure('attackers', Object.entries(attacks).map(([kind, count]) => `${count} ${kind}`).join(', '));
  const { storm, loads, kinds } = waves.at(-1);
  reportHealthy(world, publisher.tries, live.answers, [calm, storm]);
  for (const [name, load] of Object.entries(loads)) reportLoad(world.report, name, load);
  reportAttackers(world.report, kinds);
  for (const { most, recovery } of waves) reportRecovery(world.report, before, most, recovery);
}

/** The gateway may have as many descriptors as this process. */
function affordableAttacks(world) {
  const { attacks } = world.options;
  const idle = affordable(attacks.idle, OTHER_DESCRIPTORS);
  if (idle < attacks.idle) world.say(`NOTE: only ${idle} idle connections, because a process may have ${descriptorsMax()} descriptors`);
  return { ...attacks, idle };
}

/** From the first attacker to the end of the last. What they saw, what it cost, and how busy the harness was. */
async function underAttack(world, pod, attacks, memory) {
  world.fault('the attack begins');
  world.shoppers.markLoad();
  const load = new Load();
  const attackers = new Attackers({ port: pod.port, processes: ATTACKER_PROCESSES, attacks });
  const storm = { from: now() };
  await world.pause(world.options.attackMs);
  storm.to = now();
  const loads = { 'the publisher': load.figures, 'the shoppers': world.shoppers.load };
  const most = { descriptors: descriptors(pod.pid), mb: memory.peakMb(storm.from, storm.to) };
  const { kinds, load: theirs } = await attackers.counts();
  world.sayStatus('under attack');
  await attackers.stop();
  world.fault('the attack is over');
  return { storm, kinds, most, loads: { ...loads, 'the attackers': theirs } };
}

/** Asks `/health/live` as an orchestrator does, on a new connection each time. */
function probeLive(pod) {
  const answers = [];
  const timer = setInterval(() => {
    const t = now();
    request(pod, '/health/live').then(({ status }) => status, () => 0).then(status => answers.push({ t, ms: now() - t, status }));
  }, PROBE_EVERY_MS);
  return { answers, stop: () => clearInterval(timer) };
}

/** Looks until the process is what it was before, or time is up. */
async function recovered(world, pod, before) {
  const began = now();
  const memoryMax = Math.max(before.mb * (1 + MEMORY_MORE_MAX.share), before.mb + MEMORY_MORE_MAX.mb);
  const times = { descriptors: null, memory: null };
  for (;;) {
    const left = { descriptors: descriptors(pod.pid), mb: memoryMb(pod.pid) };
    const ms = now() - began;
    times.descriptors = left.descriptors <= before.descriptors + DESCRIPTORS_MORE_MAX ? times.descriptors ?? ms : null;
    times.memory = left.mb <= memoryMax ? times.memory ?? ms : null;
    const isBack = times.descriptors !== null && times.memory !== null;
    if (isBack || ms > RECOVERED_WITHIN_MS) return { ...left, times, memoryMax };
    await world.pause(PROBE_EVERY_MS);
  }
}

function reportHealthy(world, tries, answers, phases) {
  const { report } = world;
  const meter = new PhaseLatencyMeter(phases);
  world.measure(meter);
  const during = list => phases.map(({ from, to }) => list.filter(({ t }) => t >= from && t <= to));
  sideBySide(report, 'accepted to received', meter.times);
  sideBySide(report, 'POST /api/notify', during(tries).map(list => list.map(({ ms }) => ms)));
  sideBySide(report, 'GET /health/live', during(answers).map(list => list.map(({ ms }) => ms)));
  const notTaken = tries.filter(({ status }) => status !== 202);
  const notLive = answers.filter(({ status }) => status !== 200);
  const said = list => [list.length, ...new Set(list.map(({ status }) => status))].join(', status ');
  report.must('posts not answered 202', said(notTaken), notTaken.length === 0, '0');
  report.must('/health/live not answered 200', said(notLive), notLive.length === 0, '0');
}

function sideBySide(report, name, [calm, attacked]) {
  const [before, during] = [summary(calm), summary(attacked)];
  for (const figure of ['count', 'p50', 'p99', 'max']) {
    report.figure(`${name}, ${figure === 'count' ? figure : `${figure} ms`}: calm | under attack`, `${before[figure]} | ${during[figure]}`);
  }
}

function reportAttackers(report, { slow, ...others }) {
  const oldest = Math.max(0, ...slow.agesMs, ...(slow.livesMs ?? []));
  report.figure('slow connections begun, closed by the gateway, open', `${slow.begun}, ${slow.livesMs?.length ?? 0}, ${slow.open}`);
  report.times('lives of those closed', summary(slow.livesMs ?? []));
  report.must('longest life of a slow connection, ms', oldest, oldest < SLOW_GONE_WITHIN_MS, `< ${SLOW_GONE_WITHIN_MS}`);
  for (const [kind, { livesMs, agesMs: _, ...counts }] of Object.entries(others)) {
    const lives = livesMs ? `; lives p50 ${summary(livesMs).p50} ms, at most ${summary(livesMs).max} ms` : '';
    report.figure(kind, `${Object.entries(counts).map(([name, count]) => `${name} ${count}`).join('; ')}${lives}`);
  }
  const survived = Object.entries(others.oversized).filter(([name]) => name.endsWith('survived')).map(([name, count]) => `${name} ${count}`);
  report.must('oversized messages that were not refused', survived.join('; ') || 0, survived.length === 0, '0');
}

function reportRecovery(report, before, most, { descriptors: left, mb, times, memoryMax }) {
  const said = ms => (ms === null ? 'never' : `${(ms / 1000).toFixed(1)} s`);
  report.figure('descriptors of the gateway: before, in the attack, after', `${before.descriptors}, ${most.descriptors}, ${left}`);
  report.figure('memory MB: before, at most, after', [before.mb, most.mb, mb].map(Math.round).join(', '));
  report.must('descriptors are back after', said(times.descriptors), times.descriptors !== null, `<= ${RECOVERED_WITHIN_MS / 1000} s`);
  const wanted = `<= ${RECOVERED_WITHIN_MS / 1000} s, below ${Math.round(memoryMax)} MB`;
  report.must('memory is back after', said(times.memory), times.memory !== null, wanted);
}
