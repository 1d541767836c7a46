// The process of a generator. It takes orders from `flood.js` over the channel that `fork` opens, one at a time, and answers
// each when it is done.
import { Load } from '../load.js';
import { Generator } from './generator.js';

const load = new Load();
const pause = ms => new Promise(resolve => setTimeout(resolve, ms));

const orders = {
  closedLoop: (generator, { connections }) => generator.closedLoop(connections),
  openLoop: (generator, { connections, rate }) => generator.openLoop(connections, rate),
};

process.on('message', async ({ order, port, batch, warmUpMs, ms, ...details }) => {
  const generator = new Generator({ port, batch });
  orders[order](generator, details);
  await pause(warmUpMs);
  generator.reset();
  load.mark();
  const began = performance.now();
  await pause(ms);
  const seconds = (performance.now() - began) / 1000;
  const results = { ...generator.results, seconds, load: load.figures };
  generator.stop();
  process.send(results);
});
process.on('disconnect', () => process.exit(0));   // Whoever gave the orders is gone, or has no more.
