// A real Prometheus that asks real gateways, with the alerts of the repository.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { stringify } from 'yaml';

import { freePort } from '../../e2e/support/gateway.js';
import { request } from '../../e2e/support/http.js';
import { until, within } from '../../e2e/support/wait.js';
import { PROMETHEUS, REPOSITORY } from './tools.js';

export class Prometheus {
  /** Asks the gateways once a second. */
  static async start(t, gateways) {
    const prometheus = new Prometheus();
    prometheus.url = `http://127.0.0.1:${await freePort()}`;
    const folder = mkdtempSync(path.join(tmpdir(), 'shelfcast-prometheus-'));
    const configuration = {
      global: { scrape_interval: '1s', evaluation_interval: '1s' },
      rule_files: [path.join(REPOSITORY, 'monitoring/alerts.yaml')],
      scrape_configs: [{ job_name: 'shelfcast', static_configs: [{ targets: gateways.map(({ port }) => `127.0.0.1:${port}`) }] }],
    };
    writeFileSync(path.join(folder, 'prometheus.yml'), stringify(configuration));
    const child = spawn(PROMETHEUS, [`--config.file=${folder}/prometheus.yml`, `--storage.tsdb.path=${folder}/data`, `--web.listen-address=${new URL(prometheus.url).host}`, '--log.level=error'], { stdio: 'inherit' });
    const ended = new Promise(resolve => child.once('exit', resolve).once('error', resolve));
    process.once('exit', () => child.kill('SIGKILL'));
    t.after(async () => {
      child.kill('SIGTERM');
      await within(ended, 'the end of Prometheus');
      rmSync(folder, { recursive: true, force: true });
    });
    await until(() => request(prometheus, '/-/ready').then(({ status }) => status === 200, () => false), 'Prometheus to be ready');
    return prometheus;
  }

  /** What an expression comes to now: `[{ metric, value }]`. */
  async query(expression) {
    const { json, text } = await request(this, `/api/v1/query?query=${encodeURIComponent(expression)}`);
    if (json?.status !== 'success') throw new Error(`${expression}: ${text}`);
    return json.data.result.map(({ metric, value: [, value] }) => ({ metric, value: Number(value) }));
  }

  /** Every rule: `[{ name, health, state, lastError }]`. */
  async rules() {
    const { json } = await request(this, '/api/v1/rules');
    return json.data.groups.flatMap(({ rules }) => rules);
  }
}
