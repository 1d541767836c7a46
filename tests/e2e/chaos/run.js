#!/usr/bin/env node
// Runs chaos scenarios against the real binary and says what was measured. See `--help`.
import { mkdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';

import { BINARY } from '../support/gateway.js';
import { SCENARIOS } from './scenarios/index.js';
import { World } from './world.js';

const COMMON = { products: 2_000, distribution: 'uniform', announced: 0.7 };

const OPTIONS = {
  times: { type: 'string', help: 'how often the fault happens' },
  clients: { type: 'string', help: 'shoppers, over all transports' },
  rate: { type: 'string', help: 'events a second' },
  products: { type: 'string', help: `products there are (${COMMON.products})` },
  distribution: { type: 'string', help: `which of them are tracked and published: uniform or zipf (${COMMON.distribution})` },
  announced: { type: 'string', help: `share of the clients that know resync_required (${COMMON.announced})` },
  seed: { type: 'string', help: 'repeats the choices of an earlier run (its order of events it cannot repeat)' },
  short: { type: 'boolean', help: 'few repetitions, few clients' },
  out: { type: 'string', help: 'folder for histories, logs and results (a new one in the temporary folder)' },
  help: { type: 'boolean', help: 'this text' },
};

const { values: given, positionals: names } = parseArgs({ options: OPTIONS, allowPositionals: true });
const unknown = names.filter(name => name !== 'all' && !(name in SCENARIOS));
if (given.help || names.length === 0 || unknown.length > 0) {
  if (unknown.length > 0) console.error(`There is no scenario ${unknown.join(', ')}.\n`);
  console.log(help());
  process.exit(given.help ? 0 : 64);
}

const out = path.resolve(given.out ?? path.join(os.tmpdir(), `shelfcast-chaos-${Date.now()}`));
mkdirSync(out, { recursive: true });
let isGood = true;
for (const name of names.includes('all') ? Object.keys(SCENARIOS) : names) isGood = (await run(name)) && isGood;
process.exit(isGood ? 0 : 1);

async function run(name) {
  const scenario = SCENARIOS[name];
  const options = optionsOf(scenario);
  const directory = path.join(out, name);
  console.log(`\n${name}: ${scenario.about}\n${JSON.stringify(options)}\nfiles in ${directory}\n`);
  const world = new World(directory, options, text => console.log(text));
  const startedAt = new Date();
  let verdict;
  try {
    await scenario.run(world);
    verdict = world.judge();
  } catch (error) {
    console.error(error);
    verdict = { by: 'nobody', anomalies: [`the run did not end well: ${error.message}`] };
  } finally {
    await world.close();
  }
  const { report } = world;
  const isGood = verdict.anomalies.length === 0 && report.isGood;
  const result = {
    scenario: name,
    about: scenario.about,
    isGood,
    startedAt,
    seconds: (Date.now() - startedAt) / 1000,
    binary: path.basename(BINARY),
    machine: `${os.cpus().length} cores`,
    options,
    judgedBy: path.basename(verdict.by),
    anomalies: verdict.anomalies,
    said: verdict.said,
    figures: report.figures,
  };
  writeFileSync(path.join(directory, 'result.json'), `${JSON.stringify(result, null, 2)}\n`);
  console.log(`\n${report.table()}\n`);
  for (const anomaly of verdict.anomalies) console.log(`ANOMALY  ${anomaly}`);
  console.log(`${name}: ${isGood ? 'good' : 'NOT GOOD'}, ${result.seconds.toFixed(0)} s, history in ${world.historyPath}`);
  return isGood;
}

function optionsOf({ defaults, short }) {
  const numbers = ['times', 'clients', 'rate', 'products', 'announced', 'seed'];
  const asked = Object.fromEntries(Object.entries(given).map(([name, value]) => [name, numbers.includes(name) ? number(name, value) : value]));
  const { short: isShort, out: _out, help: _help, ...rest } = asked;
  return { seed: Math.floor(Math.random() * 2 ** 31), ...COMMON, ...defaults, ...(isShort ? { products: 200, ...short } : {}), ...rest };
}

function number(name, value) {
  const parsed = Number(value);
  if (value.trim() === '' || !Number.isFinite(parsed)) throw new Error(`--${name} wants a number, not ${value}`);
  return parsed;
}

function help() {
  const line = (name, text) => `  ${name.padEnd(24)}${text}`;
  const size = ({ times, clients, rate }) => `${times} times, ${clients} clients, ${rate} events/s`;
  return `Breaks what the gateway stands on, and proves from the history of the run that nobody was left in the dark.

Usage: node tests/e2e/chaos/run.js <scenario>... [options]
       node tests/e2e/chaos/run.js all --short

Scenarios:
${Object.entries(SCENARIOS).map(([name, { about, defaults }]) => `${line(name, about)}\n${line('', size(defaults))}`).join('\n')}

Options:
${Object.entries(OPTIONS).map(([name, { type, help: text }]) => line(`--${name}${type === 'string' ? ' <value>' : ''}`, text)).join('\n')}

Environment:
${line('SHELFCAST_BIN', 'the gateway (target/debug/shelfcast)')}
${line('SHELFCAST_PROOF', 'the program that judges: <program> check <history>; unset: a plain count')}

Example, a minute: SHELFCAST_BIN=target/release/shelfcast node tests/e2e/chaos/run.js pods --times 10 --clients 300 --rate 500

Exit code 0: no anomaly. 1: an anomaly, or a figure that must not be. 64: a wrong call.`;
}
