// A process full of shoppers. It takes orders from `shoppers.js` over the channel that `fork` opens, writes its own part
// of the history, and reports figures for the progress line. It starts no pods and publishes nothing.
import { Recorder } from '../history.js';
import { Load } from '../load.js';
import { Random, productChooser } from '../random.js';
import { SocketioShopper, TRANSPORTS } from './socketio.js';
import { SseShopper } from './sse.js';

const REPORT_EVERY_MS = 250;
/** Shoppers arrive one by one: a storm of arrivals is a test of its own. */
const ARRIVALS_PER_SECOND = 200;

/** The pods as a load balancer knows them. */
class PodsInService {
  #all = [];

  constructor(random) {
    this.random = random;
  }

  update(all) {
    this.#all = all;
  }

  isInService(pod) {
    return this.#all.some(({ url, inService }) => url === pod.url && inService);
  }

  /** With nothing in service a client tries where it was, and is refused. */
  choose() {
    const inService = this.#all.filter(pod => pod.inService);
    return this.random.pick(inService.length > 0 ? inService : this.#all);
  }
}

let shoppers = [];
let around;
const load = new Load();

const orders = {
  async start({ historyPath, seed, first, count, transports, announcedShare, productsEach, productCount, distribution, pods }) {
    const random = new Random(seed);
    const choose = productChooser(random, productCount, distribution);
    const tally = { caughtUp: 0, batches: 0, events: 0, refetches: 0, unanswered: 0 };
    around = { random, recorder: new Recorder(historyPath), pods: new PodsInService(random), tally };
    around.pods.update(pods);
    shoppers = Array.from({ length: count }, (_, index) => {
      const transport = byShare(transports, index / count);
      const Kind = transport in TRANSPORTS ? SocketioShopper : SseShopper;
      const products = random.distinct(productsEach, choose);
      return new Kind({ name: `shopper-${first + index}`, transport, products, isAnnounced: random.next() < announcedShare }, around);
    });
    setInterval(report, REPORT_EVERY_MS);
    for (const shopper of shoppers) {
      shopper.connect(around.pods.choose());
      await new Promise(resolve => setTimeout(resolve, 1000 / ARRIVALS_PER_SECOND));
    }
  },

  pods({ pods }) {
    around.pods.update(pods);
  },

  /** The load is measured from now on. */
  mark() {
    load.mark();
  },

  /** The history ends before they go, so that their going is no part of it. */
  stop() {
    around.recorder.close();
    for (const shopper of shoppers) shopper.goAway();
    process.send({ stopped: true }, () => process.exit(0));
  },
};

function report() {
  process.send({ tally: around.tally, load: load.figures });
}

/** The name whose part of the whole `at` (0 to 1) falls into. */
function byShare(shares, at) {
  const sum = Object.values(shares).reduce((a, b) => a + b, 0);
  let end = 0;
  for (const [name, share] of Object.entries(shares)) if (at < (end += share / sum)) return name;
  return Object.keys(shares).at(-1);
}

process.on('message', ({ order, ...details }) => orders[order](details));
process.on('disconnect', () => process.exit(1));   // Whoever gave the orders is gone.
