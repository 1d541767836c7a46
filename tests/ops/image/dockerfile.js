// Reads a Dockerfile: its stages, each with its instructions in order, variables put in. As much of the format as ours
// uses; anything else is an error, not a guess. Runs nothing.

const KNOWN = new Set(['FROM', 'ARG', 'ENV', 'WORKDIR', 'COPY', 'RUN', 'LABEL', 'USER', 'EXPOSE', 'HEALTHCHECK', 'ENTRYPOINT']);

/** `[{ base, name, steps: [{ name, text }] }]`, in the order they stand; `args` wins over the defaults of ARG. */
export function stagesOf(text, args = {}) {
  const before = {};   // What ARG says before the first FROM, and only FROM sees.
  const stages = [];
  for (const { name, text: raw } of instructionsOf(text)) {
    if (name === 'FROM') {
      const [, base, as] = /^(\S+)(?:\s+AS\s+(\S+))?$/i.exec(put(raw, before)) ?? fail(`FROM ${raw}`);
      stages.push({ base, name: as ?? `stage ${stages.length}`, steps: [] });
    } else if (stages.length === 0) {
      Object.assign(before, name === 'ARG' ? argument(raw, args) : fail(`${name} before FROM`));
    } else {
      stages.at(-1).steps.push({ name, text: raw });
    }
  }
  return stages;
}

function instructionsOf(text) {
  const lines = text.split('\n').filter(line => !/^\s*#/.test(line)).join('\n').replaceAll(/\\\n\s*/g, ' ');
  return lines.split('\n').filter(line => line.trim() !== '').map(line => {
    const [, name, rest] = /^([A-Z]+)\s+(.*)$/.exec(line.trim()) ?? fail(line);
    return KNOWN.has(name) ? { name, text: rest } : fail(line);
  });
}

/** `ARG NAME=default` as `{ NAME: value }`. */
export function argument(text, args) {
  const [name, value = ''] = text.split('=');
  return { [name]: args[name] ?? value };
}

/** `A=b C="d e"` as an object. */
export function pairs(text) {
  return Object.fromEntries([...text.matchAll(/([\w.]+)=(?:"([^"]*)"|(\S*))/g)].map(([, name, quoted, bare]) => [name, quoted ?? bare]));
}

/** Puts `$NAME` and `${NAME}` in. RUN leaves that to its shell. */
export function put(text, variables) {
  return text.replaceAll(/\$(?:\{(\w+)\}|(\w+))/g, (_, braced, bare) => variables[braced ?? bare] ?? fail(`no ${braced ?? bare} for ${text}`));
}

/** `--from=stage a b target` as `{ from, sources, target }`. */
export function copyOf(text) {
  const words = text.split(/\s+/);
  const from = words[0].startsWith('--from=') ? words.shift().slice('--from='.length) : null;
  if (words.length < 2 || words.some(word => word.startsWith('--'))) fail(`COPY ${text}`);
  return { from, sources: words.slice(0, -1), target: words.at(-1) };
}

function fail(what) {
  throw new Error(`not understood in the Dockerfile: ${what}`);
}
