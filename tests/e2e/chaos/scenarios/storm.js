// All clients of one gateway lose their connections in the same moment and come back at once, while events go on. The
// answers to where they were come from the gateway's own index: Redis may not notice how many came. So it is done with
// a few clients and with many, and what Redis was asked is compared.
import { now } from '../history.js';
import { Load, reportLoad } from '../load.js';
import { CatchUpMeter, RefetchMeter, summary } from '../measure.js';
import { cpuMs } from '../proc.js';

const CUT_WITHIN_MS = 100;
const BACK_WITHIN_MS = 10_000;
const SETTLE_MS = 1_000;             // After arrivals: what they cost is not what a return costs.
/** Commands more than in a quiet time of the same length: for a client, and by chance. */
const COMMANDS_PER_CLIENT_MAX = 0.05;
const COMMANDS_BY_CHANCE = { share: 0.1, count: 10 };
/** Their number is that of the events, which is the publisher's business. */
const PER_EVENT = ['xadd', 'publish'];

export const scenarios = {
  storm: {
    about: 'all clients of one gateway are cut in the same moment, first a tenth of them, then all',
    defaults: { times: 1, clients: 3_000, rate: 500, windowMs: 10_000 },
    short: { times: 1, clients: 150, rate: 200, windowMs: 2_000 },
    run: cutAll,
  },
};

async function cutAll(world) {
  const { clients, times } = world.options;
  const redis = await world.startRedis();
  await world.startPods(1, () => ({ REDIS_URL: redis.url }));
  const [pod] = world.pods.all;
  pod.door = await world.startProxy({ port: pod.port });
  const few = Math.ceil(clients / 10);
  await world.startShoppers({ count: few });
  world.startPublishing();
  const rounds = [];
  for (let time = 1; time <= times; time++) rounds.push(await cut(world, redis, pod));
  await world.shoppers.add(clients - few);
  for (let time = 1; time <= times; time++) rounds.push(await cut(world, redis, pod));
  await world.settle();

  const catchUp = new CatchUpMeter();
  const refetches = new RefetchMeter();
  world.measure(catchUp, refetches);
  reportReturn(world.report, rounds, catchUp);
  reportCommands(world.report, rounds);
  world.report.must('words to refetch', refetches.said, refetches.count === 0, '0');
}

/** A quiet time, then the cut and as much time again: what Redis was asked in each. */
async function cut(world, redis, { door, pid }) {
  const { windowMs } = world.options;
  await world.pause(SETTLE_MS);
  const [before, cpuBefore] = [await commandsOf(redis), cpuMs(pid)];
  await world.pause(windowMs);
  const quiet = await commandsOf(redis);
  const usual = cpuMs(pid) - cpuBefore;

  world.shoppers.markLoad();
  const load = new Load();
  const cpuQuiet = cpuMs(pid);
  const began = world.fault('every connection is cut');
  const cutConnections = door.connections;
  door.resetAll();
  const cutMs = now() - began;
  await world.pause(windowMs);
  const after = await commandsOf(redis);
  const cores = [usual, cpuMs(pid) - cpuQuiet].map(ms => ms / windowMs);
  await world.shoppers.caughtUp();
  const counted = { quiet: difference(before, quiet), storm: difference(quiet, after) };
  const round = { clients: world.shoppers.count, cutMs, cores, ...counted, load: world.shoppers.load, proxyLoad: load.figures };
  world.sayStatus(`cut ${cutConnections} connections of ${round.clients} clients in ${Math.round(cutMs)} ms`);
  return round;
}

/** How often each command ran since Redis started, without our own question. */
async function commandsOf(redis) {
  const info = await redis.command('INFO', 'commandstats');
  const lines = [...info.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)];
  return new Map(lines.map(([, name, calls]) => [name, Number(calls)]).filter(([name]) => name !== 'info'));
}

const difference = (before, after) => new Map([...after].map(([name, calls]) => [name, calls - (before.get(name) ?? 0)]));

function reportReturn(report, rounds, catchUp) {
  const slowest = Math.round(Math.max(...rounds.map(({ cutMs }) => cutMs)));
  const away = summary(catchUp.fromLoss);
  const all = rounds.reduce((sum, { clients }) => sum + clients, 0);
  report.goal('slowest cut of all connections (the harness), ms', slowest, slowest <= CUT_WITHIN_MS, `<= ${CUT_WITHIN_MS}`);
  report.figure('clients over all cuts; of these lost their connection, not being between two polls', `${all}; ${away.count}`);
  report.times('from the cut to caught up', away);
  report.must('the last was back after, ms', away.max, away.max <= BACK_WITHIN_MS, `<= ${BACK_WITHIN_MS}`);
  report.times('from the new connection to caught up', summary(catchUp.fromConnect));
  for (const { clients, load, proxyLoad, cores } of rounds) {
    report.figure(`cores of the gateway, ${clients} clients: in a quiet time, after the cut`, cores.map(share => share.toFixed(2)).join(', '));
    reportLoad(report, `${clients} shoppers`, load);
    reportLoad(report, `the proxy and the publisher, ${clients} clients`, proxyLoad);
  }
}

/** Each command by itself, so that one which is asked less cannot hide another. */
function reportCommands(report, rounds) {
  for (const { clients, quiet, storm } of rounds) {
    const all = [...storm].map(([name, calls]) => ({ name, calls, usual: quiet.get(name) ?? 0 })).filter(({ name }) => !PER_EVENT.includes(name));
    const sum = which => all.reduce((total, command) => total + command[which], 0);
    report.figure(`${clients} clients: Redis commands in a quiet time, after the cut`, `${sum('usual')}, ${sum('calls')}`);
    const isTooMany = ({ calls, usual }) =>
      calls > usual * (1 + COMMANDS_BY_CHANCE.share) + COMMANDS_BY_CHANCE.count + clients * COMMANDS_PER_CLIENT_MAX;
    const grown = all.filter(isTooMany).map(({ name, calls, usual }) => `${name} ${usual} -> ${calls}`);
    report.must(`${clients} clients: commands that grew with them`, grown.join(', ') || 0, grown.length === 0, '0');
  }
}
