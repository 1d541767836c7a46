// The last stage of the Dockerfile around the binary under test: it starts with nothing but what the image has.
import { test } from 'node:test';

import { BINARY, run } from '../support/tools.js';

test('the binary starts in the image, read-only and as nobody, is healthy, and ends with 0', { skip: process.getuid() !== 0 && 'a new root directory takes root' }, () => {
  run('node', ['tests/ops/image/run.js', '--binary', BINARY]);
});
