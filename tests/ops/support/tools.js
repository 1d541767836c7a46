// The programs that the checks call, which `tests/setup ops` installs, and how a failure of one is told.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url));
const OPS = path.join(REPOSITORY, 'tests/ops');

/** The words of a file of the repository. */
export const read = file => readFileSync(path.join(REPOSITORY, file), 'utf8');

/** Programs from Python packages. */
export const HADOLINT = path.join(OPS, '.venv/bin/hadolint');
export const KUBECTL = path.join(OPS, '.venv/bin/kubectl');
export const KUBERNETES_VALIDATE = path.join(OPS, '.venv/bin/kubernetes-validate');

/** Programs from Debian's packages, unpacked and not installed: those would start as services. */
export const PROMETHEUS = unpacked('prometheus', 'usr/bin/prometheus');
export const PROMTOOL = unpacked('promtool', 'usr/bin/promtool');
export const NGINX = unpacked('nginx', 'usr/sbin/nginx');

function unpacked(name, file) {
  const own = path.join(OPS, '.tools', file);
  return existsSync(own) ? own : name;
}

/** What a command prints; one that fails is an error with all that it said. */
export function run(command, args, options = {}) {
  const { status, error, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', cwd: REPOSITORY, maxBuffer: 1 << 26, ...options });
  if (error?.code === 'ENOENT') throw new Error(`${command} is not there; tests/setup ops installs it`);
  if (error) throw error;
  if (status !== 0) throw new Error(`${path.basename(command)} ${args.join(' ')} ended with ${status}:\n${stdout}${stderr}`);
  return stdout;
}

/** The binary under test, if one was built: `make test` names it, `make check` has none. */
export const BINARY = process.env.SHELFCAST_BIN;

/** What the binary prints. */
export const ask = (...args) => execFileSync(BINARY, args, { encoding: 'utf8', env: { PATH: process.env.PATH } });
