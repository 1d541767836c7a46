// One gateway without Redis: its log dies with it. Clients that come back must be told, because nothing else can be proved.
import { CatchUpMeter, ToldMeter, summary } from '../measure.js';

const ALIVE_MS = 1_500;   // Time to publish into before the next end.

export const scenarios = {
  'memory-kill': {
    about: 'one gateway without Redis, kill -9 and started again',
    defaults: { times: 20, clients: 500, rate: 1_000 },
    short: { times: 1, clients: 60, rate: 200 },
    run: world => restartOften(world, pod => world.pods.kill9(pod)),
  },
  'memory-drain': {
    about: 'one gateway without Redis, SIGTERM and started again',
    defaults: { times: 20, clients: 500, rate: 1_000 },
    short: { times: 1, clients: 60, rate: 200 },
    run: world => restartOften(world, pod => world.pods.drain(pod)),
  },
};

async function restartOften(world, end) {
  const { times } = world.options;
  await world.startPods(1, () => ({}));
  await world.startShoppers();
  world.startPublishing();
  const [pod] = world.pods.all;
  for (let time = 1; time <= times; time++) {
    await world.pause(ALIVE_MS);
    world.fault(`${pod.name} ends`, { mark: 'began' });
    await end(pod);
    await world.pods.start(pod);
    world.fault(`${pod.name} is back`, { mark: 'back' });
    await world.shoppers.caughtUp();
    world.sayStatus(`restart ${time} of ${times}`);
  }
  await world.settle();

  const told = new ToldMeter();
  const catchUp = new CatchUpMeter();
  world.measure(told, catchUp);
  told.reportTo(world.report, 2_000);
  world.report.times('catch-up, from the connection', summary(catchUp.fromConnect), 1_000);
}
