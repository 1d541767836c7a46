// The history of a run: what was asked and what came, one JSON object a line, times in ms on one clock for all
// processes of this machine. It writes, merges and reads such files; what they prove is the checker's business.
import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';

/** Lines are kept back until there are this many characters, so that recording is one write for some hundred lines. */
const BUFFER_CHARS = 64 * 1024;
/** ... or until this much time has passed, so that a process that is killed takes little with it. */
const FLUSH_EVERY_MS = 200;
const READ_BYTES = 1024 * 1024;

/** CLOCK_MONOTONIC: the same for every process since the machine started, and never set back. */
export const now = () => Number(process.hrtime.bigint() / 1000n) / 1000;

export class Recorder {
  #file;
  #buffer = '';
  #timer;

  constructor(path) {
    this.path = path;
    this.#file = openSync(path, 'w');
    this.#timer = setInterval(() => this.flush(), FLUSH_EVERY_MS);
    this.#timer.unref();
  }

  /** `t` comes first in the line: `mergeHistories` reads it without parsing the rest. Returns it. */
  record(op, fields, t = now()) {
    if (this.#file === null) return t;
    this.#buffer += `${JSON.stringify({ t, op, ...fields })}\n`;
    if (this.#buffer.length >= BUFFER_CHARS) this.flush();
    return t;
  }

  flush() {
    if (this.#file === null || this.#buffer === '') return;
    writeSync(this.#file, this.#buffer);
    this.#buffer = '';
  }

  /** What is recorded afterwards is left out: the run is over. */
  close() {
    if (this.#file === null) return;
    clearInterval(this.#timer);
    this.flush();
    closeSync(this.#file);
    this.#file = null;
  }
}

/** Makes one file, in order of time, of files that each are in order of time. Ends at the line that says `end`. */
export function mergeHistories(parts, path) {
  const sources = parts.map(part => linesOf(part)).map(lines => ({ lines, ...head(lines) })).filter(source => source.line !== null);
  const merged = openSync(path, 'w');
  let buffer = '';
  while (sources.length > 0) {
    const first = sources.reduce((best, source) => (source.t < best.t ? source : best));
    buffer += `${first.line}\n`;
    if (buffer.length >= BUFFER_CHARS) {
      writeSync(merged, buffer);
      buffer = '';
    }
    if (first.line.includes('"op":"end"')) break;
    Object.assign(first, head(first.lines));
    if (first.line === null) sources.splice(sources.indexOf(first), 1);
  }
  writeSync(merged, buffer);
  closeSync(merged);
  for (const part of parts) unlinkSync(part);
}

function head(lines) {
  const { done, value } = lines.next();
  if (done) return { line: null };
  return { line: value, t: Number(value.slice('{"t":'.length, value.indexOf(','))) };
}

/** The operations of a history, in the order of the file. */
export function* readHistory(path) {
  for (const line of linesOf(path)) yield JSON.parse(line);
}

/** Whole lines only: the last one of a process that was killed may be cut. */
function* linesOf(path) {
  const file = openSync(path, 'r');
  const decoder = new TextDecoder();
  const chunk = Buffer.alloc(READ_BYTES);
  let rest = '';
  try {
    for (;;) {
      const length = readSync(file, chunk);
      if (length === 0) return;
      const lines = (rest + decoder.decode(chunk.subarray(0, length), { stream: true })).split('\n');
      rest = lines.pop();
      yield* lines;
    }
  } finally {
    closeSync(file);
  }
}
