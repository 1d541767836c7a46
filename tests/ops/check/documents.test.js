// What the documents name is there: files and sections that they link to, targets of the Makefile, and what the runbook tells
// somebody at night to look for.
import assert from 'node:assert/strict';
import { existsSync, statSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';

import { listed, missing } from '../support/metrics.js';
import { read, REPOSITORY, run } from '../support/tools.js';

const DOCUMENTS = run('git', ['ls-files', '*.md']).split('\n').filter(file => file !== '');
const withoutCode = text => text.replaceAll(/^( *)```.*?^\1```$/gms, '').replaceAll(/`[^`]*`/g, match => match.replaceAll(/[[\]()"]/g, ''));

/** The names by which the headings of a document are linked to. */
function anchorsOf(text) {
  const headings = [...text.replaceAll(/^( *)```.*?^\1```$/gms, '').matchAll(/^#+ (.*)$/gm)].map(([, heading]) => heading);
  return new Set(headings.map(heading => heading.toLowerCase().replaceAll(/[^\p{L}\p{N} _-]/gu, '').replaceAll(' ', '-')));
}

test('every link inside the repository leads somewhere', () => {
  let links = 0;
  const dead = [];
  for (const file of DOCUMENTS) {
    for (const [, target] of withoutCode(read(file)).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      links += 1;
      const [to, anchor] = target.split('#');
      const found = to === '' ? file : path.join(path.dirname(file), to);
      const isThere = existsSync(path.join(REPOSITORY, found));
      if (!isThere || (anchor !== undefined && !(statSync(path.join(REPOSITORY, found)).isFile() && anchorsOf(read(found)).has(anchor)))) dead.push(`${file}: ${target}`);
    }
  }
  assert.ok(links > 100, `${links} links`);
  assert.deepEqual(dead, []);
});

test('every make target that is named is there', () => {
  const targets = new Set([...read('Makefile').matchAll(/^([a-z-]+):/gm)].map(([, target]) => target));
  const spans = DOCUMENTS.flatMap(file => [...read(file).matchAll(/`(?:[A-Z_]+=\S+ )*make ([^`]+)`/g)].map(([, words]) => ({ file, words })));
  spans.push({ file: '.ci/run', words: /^exec make (.*)$/m.exec(read('.ci/run'))[1] });
  assert.ok(spans.length > 20, `${spans.length} commands`);
  for (const { file, words } of spans) {
    for (const word of words.split(/\s+/).filter(word => /^[a-z-]+$/.test(word))) assert.ok(targets.has(word), `${file}: make ${word}`);
  }
});

test('what the runbook tells to look for is there: metrics, panels of the dashboard, lines of the log', () => {
  const runbook = read('docs/runbook.md');
  for (const [name] of runbook.matchAll(/\bshelfcast_\w+(?:\{[^}]*\})?/g)) assert.deepEqual(missing(name, listed(), ['code']), [], name);

  const panels = new Set(JSON.parse(read('monitoring/grafana/shelfcast.json')).panels.map(({ title }) => title));
  const code = run('git', ['ls-files', 'src/*.rs']).split('\n').filter(file => file !== '').map(read).join('\n');
  const alerts = runbook.slice(runbook.indexOf('\n## Alerts'), runbook.indexOf('\n## A rolling deploy'));
  const said = [...withoutCode(alerts).matchAll(/"([^"]+)"/g)].map(([, words]) => words.replaceAll(/\s+/g, ' '));
  assert.ok(said.length > 5, `${said}`);
  for (const words of said) assert.ok(panels.has(words) || isSaid(code, words), `nobody says "${words}"`);
});

/** Whether a line of the log holds these words. */
const isSaid = (code, words) => code.split('\n').some(line => !line.trim().startsWith('//') && line.includes(`"${words}`));
