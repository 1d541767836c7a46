// Which files .dockerignore keeps out of a build, by Docker's rules: the last pattern that fits a path, or a folder it is
// in, decides. Reads nothing itself.

/** A function that tells whether a path is kept out. */
export function ignorer(text) {
  const rules = text.split('\n').map(line => line.trim()).filter(line => line !== '' && !line.startsWith('#')).map(line => {
    const isException = line.startsWith('!');
    return { isException, pattern: patternOf(line.slice(isException ? 1 : 0)) };
  });
  return path => {
    const parts = path.split('/');
    const folders = parts.map((_, index) => parts.slice(0, index + 1).join('/'));
    const last = rules.findLast(({ pattern }) => folders.some(folder => pattern.test(folder)));
    return last !== undefined && !last.isException;
  };
}

function patternOf(glob) {
  const inner = glob
    .replaceAll(/[.+^${}()|[\]\\]/g, String.raw`\$&`)
    .replaceAll('**/', '\u0000')
    .replaceAll('**', '\u0001')
    .replaceAll('*', '[^/]*')
    .replaceAll('?', '[^/]')
    .replaceAll('\u0000', '(?:.*/)?')
    .replaceAll('\u0001', '.*');
  return new RegExp(`^${inner}$`);
}
