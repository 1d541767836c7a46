// The figures of one run: a table for people, JSON for the docs. A `must` that fails makes the run fail, as an anomaly
// does; a `goal` that is missed is only said, because times depend on the machine.

/** A longer cell pushes its own row aside, not all of them. */
const COLUMN_MAX = 64;

export class Report {
  figures = [];

  /** A measured value without a wish. */
  figure(name, value) {
    this.figures.push({ name, value });
  }

  must(name, value, holds, wanted) {
    this.figures.push({ name, value, wanted, verdict: holds ? 'ok' : 'WRONG' });
  }

  goal(name, value, holds, wanted) {
    this.figures.push({ name, value, wanted, verdict: holds ? 'ok' : 'missed' });
  }

  /** p50, p99 and max of some times, the p99 against a goal. */
  times(name, { count, p50, p99, max }, goalMs) {
    this.figure(`${name}: count`, count);
    this.figure(`${name}: p50 ms`, p50);
    if (goalMs === undefined) this.figure(`${name}: p99 ms`, p99);
    else this.goal(`${name}: p99 ms`, p99, p99 !== null && p99 < goalMs, `< ${goalMs}`);
    this.figure(`${name}: max ms`, max);
  }

  get isGood() {
    return this.figures.every(({ verdict }) => verdict !== 'WRONG');
  }

  table() {
    const rows = this.figures.map(({ name, value, wanted = '', verdict = '' }) => [name, String(value), wanted, verdict]);
    const all = [['figure', 'measured', 'wanted', ''], ...rows];
    const widths = [0, 1, 2].map(column => Math.min(COLUMN_MAX, Math.max(...all.map(row => row[column].length))));
    return all.map(row => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ').trimEnd()).join('\n');
  }
}
