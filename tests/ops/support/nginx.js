// A real nginx with a configuration out of the documents, on a port and in a folder of its own.
import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { freePort } from '../../e2e/support/gateway.js';
import { until, within } from '../../e2e/support/wait.js';
import { NGINX, read } from './tools.js';

/** The boxes marked as nginx's in a document. */
export const boxesOf = file => [...read(file).matchAll(/^```nginx\n(.*?)^```$/gms)].map(([, text]) => text);

/** The configuration with these gateways in place of those it names. */
export function withGateways(text, gateways) {
  const servers = [...text.matchAll(/^ +server 127\.0\.0\.1:\d+/gm)];
  const upstreams = text.match(/^upstream /gm) ?? [];
  if (servers.length !== 2 * upstreams.length || gateways.length < 2) throw new Error('two gateways in each upstream are expected');
  const all = gateways.map(({ port }) => `    server 127.0.0.1:${port} max_fails=0;`).join('\n');
  return text.replaceAll(/(^ +server 127\.0\.0\.1:\d+.*;\n)+/gm, `${all}\n`);
}

export class Nginx {
  /** Listens where the configuration says 80; `port` and `url` tell where that is. */
  static async start(t, configuration) {
    const nginx = new Nginx();
    nginx.port = await freePort();
    nginx.url = `http://127.0.0.1:${nginx.port}`;
    const folder = mkdtempSync(path.join(tmpdir(), 'shelfcast-nginx-'));
    chmodSync(folder, 0o755);   // Workers are nobody.
    const file = path.join(folder, 'nginx.conf');
    // Any loopback address, so that clients can come from several.
    writeFileSync(file, wrapped(folder, configuration.replace('listen 80;', `listen 127.0.0.1:${nginx.port};`)));
    const child = spawn(NGINX, ['-p', folder, '-c', file], { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', text => { said += text; });
    const ended = new Promise(resolve => child.once('exit', resolve).once('error', resolve));
    process.once('exit', () => child.kill('SIGKILL'));
    t.after(async () => {
      child.kill('SIGTERM');
      await within(ended, 'the end of nginx');
      rmSync(folder, { recursive: true, force: true });
    });
    await Promise.race([until(() => opens(nginx.port), () => `nginx to listen\n${said}`), ended.then(() => { throw new Error(`nginx ended early\n${said}`); })]);
    return nginx;
  }
}

function wrapped(folder, configuration) {
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(name => {
    mkdirSync(path.join(folder, name));
    return `${name}_temp_path ${folder}/${name};`;
  });
  return `daemon off;\npid ${folder}/pid;\nworker_processes 1;\nerror_log stderr error;\nevents { worker_connections 2048; }\nhttp {\naccess_log off;\n${paths.join('\n')}\n${configuration}}\n`;
}

const opens = port => new Promise(resolve => {
  const socket = net.connect(port, '127.0.0.1', () => { socket.destroy(); resolve(true); }).once('error', () => resolve(false));
});
