// Writes the alerts down a second time, in the form that the Prometheus operator takes: `npm run rules`.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

import { parse, stringify } from 'yaml';

import { read, REPOSITORY } from './tools.js';

export const COPY = 'k8s/components/monitoring/prometheus-rule.yaml';

/** The alerts as an object of the cluster. */
export function prometheusRule() {
  return { apiVersion: 'monitoring.coreos.com/v1', kind: 'PrometheusRule', metadata: { name: 'shelfcast' }, spec: parse(read('monitoring/alerts.yaml')) };
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const text = `# Written by \`npm run rules\` in tests/ops, from monitoring/alerts.yaml.\n${stringify(prometheusRule(), { lineWidth: 0 })}`;
  writeFileSync(path.join(REPOSITORY, COPY), text);
}
