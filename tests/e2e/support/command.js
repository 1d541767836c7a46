// Runs the commands of the binary, as a person at a terminal or a script does.
import { spawn } from 'node:child_process';

import { BINARY, environment } from './gateway.js';
import { within } from './wait.js';

/** Starts a command; `output` is all it has said so far. It ends with the test at the latest. */
export function start(t, args, env = {}) {
  const child = spawn(BINARY, args, { env: environment(env), stdio: ['ignore', 'pipe', 'pipe'] });
  const running = { output: '' };
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', text => { running.output += text; });
  running.ended = new Promise((resolve, reject) => child.once('error', reject).once('close', (code, signal) => resolve(signal ?? code)));
  running.ended.catch(() => {});
  t.after(async () => {
    child.kill('SIGKILL');
    await running.ended.catch(() => {});
  });
  return running;
}

/** Runs a command to its end. */
export async function run(t, args, env) {
  const running = start(t, args, env);
  const code = await within(running.ended, () => `the end of shelfcast ${args.join(' ')}\n${running.output}`);
  return { code, output: running.output };
}
