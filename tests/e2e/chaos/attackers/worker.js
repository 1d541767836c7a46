// A process full of attackers. It takes orders from `attackers.js` over the channel that `fork` opens.
import { Load } from '../load.js';
import { KINDS } from './kinds.js';
import { Wire } from './wire.js';

const kinds = {};
const load = new Load();

const orders = {
  start({ port, address, attacks }) {
    const wire = new Wire(port, address);
    for (const [name, part] of Object.entries(attacks)) {
      kinds[name] = new KINDS[name](wire);
      kinds[name].start(part);
    }
  },

  counts() {
    for (const kind of Object.values(kinds)) kind.snapshot?.();
    process.send({ kinds: Object.fromEntries(Object.entries(kinds).map(([name, { figures }]) => [name, figures])), load: load.figures });
  },

  /** All its sockets go with it, as where an attacker pulls the plug. */
  stop() {
    process.exit(0);
  },
};

process.on('message', ({ order, ...details }) => orders[order](details));
process.on('disconnect', () => process.exit(1));   // Whoever gave the orders is gone.
