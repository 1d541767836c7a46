// Carries out the steps of a stage in a root directory of its own, as a builder does: each RUN in a chroot, with its own
// mounts and processes. No layers, no cache.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';

import { fill } from './bases.js';
import { argument, copyOf, pairs, put } from './dockerfile.js';
import { ignorer } from './ignore.js';

/** What a stage left: its root directory and what it says about the process to start. */
export class Stage {
  env = {};
  user = '0:0';
  workdir = '/';
  labels = {};
  entrypoint = [];
  healthcheck = null;

  /** `sources` gives the root directory of another stage by its name. */
  constructor(root, { context, args, sources, say }) {
    Object.assign(this, { root, context, args, sources, say });
  }

  play({ base, steps }) {
    mkdirSync(this.root, { recursive: true });
    const { env, binds } = fill(this.root, base);
    Object.assign(this.env, env);
    this.binds = binds;
    this.variables = {};
    for (const step of steps) {
      this.say(`${step.name} ${step.text.replaceAll(/\s+/g, ' ')}`);
      this[step.name](step.text);
    }
    return this;
  }

  ARG(text) { Object.assign(this.variables, argument(text, this.args)); }
  ENV(text) { Object.assign(this.env, pairs(this.put(text))); }
  LABEL(text) { Object.assign(this.labels, pairs(this.put(text))); }
  USER(text) { this.user = this.put(text); }
  EXPOSE(text) { this.port = Number(this.put(text)); }
  ENTRYPOINT(text) { this.entrypoint = JSON.parse(text); }
  HEALTHCHECK(text) { this.healthcheck = JSON.parse(text.slice(text.indexOf('CMD ') + 4)); }

  WORKDIR(text) {
    this.workdir = path.resolve(this.workdir, this.put(text));
    mkdirSync(this.root + this.workdir, { recursive: true });
  }

  COPY(text) {
    const { from, sources, target } = copyOf(this.put(text));
    const to = this.root + path.resolve(this.workdir, target);
    for (const source of sources) {
      const isInto = target.endsWith('/') || sources.length > 1;
      if (from !== null) copy(this.sources(from) + source, isInto ? path.join(to, path.basename(source)) : to);
      else for (const file of this.contextFiles(source)) copy(path.join(this.context.folder, file), placeOf(file, source, to, isInto));
    }
  }

  RUN(text) {
    const mounts = Object.entries(this.binds).map(([from, at]) => `mkdir -p ${this.root}${at} && mount --bind ${from} ${this.root}${at} &&`);
    const script = `${mounts.join(' ')} mount -t proc proc ${this.root}/proc && mount --rbind /dev ${this.root}/dev && exec chroot ${this.root} /usr/bin/env -i "$@"`;
    const proxies = Object.fromEntries(Object.entries(process.env).filter(([name]) => /_proxy$/i.test(name)));
    const env = Object.entries({ ...proxies, HOME: '/root', ...this.variables, ...this.env }).map(([name, value]) => `${name}=${value}`);
    const { status } = spawnSync('unshare', ['--mount', '--pid', '--fork', '--kill-child', 'sh', '-c', script, 'sh', ...env,
      '/bin/sh', '-c', `cd ${this.workdir} && ${text}`], { stdio: ['ignore', 'inherit', 'inherit'] });
    if (status !== 0) throw new Error(`RUN ${text}: ended with ${status}`);
  }

  put(text) {
    return put(text, { ...this.variables, ...this.env });
  }

  contextFiles(source) {
    const isIgnored = ignorer(this.context.ignore);
    const files = this.context.files.filter(file => !isIgnored(file) && (source === '.' || file === source || file.startsWith(`${source}/`)));
    if (files.length === 0) throw new Error(`COPY ${source}: no such file in the build`);
    return files;
  }
}

/** Where a file of the context goes: a file into a folder or under its new name, a folder's contents into the target. */
function placeOf(file, source, to, isInto) {
  if (file === source) return isInto ? path.join(to, path.basename(file)) : to;
  return path.join(to, source === '.' ? file : path.relative(source, file));
}

function copy(from, to) {
  mkdirSync(path.dirname(to), { recursive: true });
  cpSync(from, to, { recursive: statSync(from).isDirectory(), preserveTimestamps: true });
}

/** The context of a build in `folder`: what Git knows of, and what it would take in. */
export function contextOf(folder) {
  const { stdout } = spawnSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], { cwd: folder, encoding: 'utf8', maxBuffer: 1 << 26 });
  return { folder, files: stdout.split('\0').filter(file => file !== ''), ignore: readFileSync(path.join(folder, '.dockerignore'), 'utf8') };
}
