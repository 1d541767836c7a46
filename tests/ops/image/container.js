// Starts what a stage left, as a careful runtime does: its root read-only, its user, no capability, no new privileges.
// The network is the machine's, on 127.0.0.1: a container's own is not shown.
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

export class Container {
  #stage;
  #env;

  constructor(stage, env) {
    this.#stage = stage;
    this.#env = { ...stage.env, ...env };
  }

  start() {
    this.child = spawn('unshare', this.#words(this.#stage.entrypoint), { stdio: ['ignore', 'inherit', 'inherit'] });
    this.ended = new Promise(resolve => this.child.once('exit', (code, signal) => resolve(signal ?? code)));
    return this;
  }

  /** The exit code of the image's own health check. */
  check() {
    const [command, ...args] = this.#words(this.#stage.healthcheck);
    return spawnSync('unshare', [command, ...args], { stdio: 'ignore', timeout: 4_000 }).status;
  }

  /** Of the gateway, not of what stands around it: `unshare` and `setpriv` become it, one after the other. */
  get pid() {
    return this.child.pid;
  }

  /** What the kernel says about the process: `{ uid, capabilities, noNewPrivileges, isRootReadOnly }`. */
  state() {
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8');
    const field = name => new RegExp(`^${name}:\\s+(\\S+)`, 'm').exec(status)[1];
    const mounts = readFileSync(`/proc/${this.pid}/mountinfo`, 'utf8').split('\n').map(line => line.split(' '));
    const root = mounts.find(words => words[4] === '/');
    return { uid: Number(field('Uid')), capabilities: field('CapEff'), noNewPrivileges: field('NoNewPrivs'), isRootReadOnly: root[5].split(',').includes('ro') };
  }

  stop() {
    this.child.kill('SIGTERM');
    return this.ended;
  }

  #words(command) {
    const { root, user } = this.#stage;
    const env = Object.entries(this.#env).map(([name, value]) => `${name}=${value}`);
    const readOnly = `mount --bind ${root} ${root} && mount -o remount,bind,ro ${root}`;
    const bounded = 'setpriv --no-new-privs --bounding-set=-all,+sys_chroot,+setuid,+setgid';
    const script = `${readOnly} && exec env -i ${quote(env)} ${bounded} chroot --userspec=${user} ${root} ${quote(command)}`;
    return ['--mount', 'sh', '-c', script];
  }
}

const quote = words => words.map(word => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
