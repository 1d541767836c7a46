// Every scenario by name. Each is `{ about, defaults, short, run(world) }`: `run` builds what it needs in the world, does
// the damage, settles, and reports its figures; judging the history is the runner's.
import * as channels from './channels.js';
import * as failover from './failover.js';
import * as hostile from './hostile.js';
import * as idempotent from './idempotent.js';
import * as memory from './memory.js';
import * as overload from './overload.js';
import * as pods from './pods.js';
import * as redisKill from './redis-kill.js';
import * as redisStop from './redis-stop.js';
import * as rolling from './rolling.js';
import * as slowClients from './slow-clients.js';
import * as splitBrain from './split-brain.js';
import * as storm from './storm.js';
import * as wiped from './wiped.js';

export const SCENARIOS = {
  ...memory.scenarios,
  ...pods.scenarios,
  ...rolling.scenarios,
  ...storm.scenarios,
  ...slowClients.scenarios,
  ...hostile.scenarios,
  ...overload.scenarios,
  ...redisStop.scenarios,
  ...redisKill.scenarios,
  ...failover.scenarios,
  ...wiped.scenarios,
  ...idempotent.scenarios,
  ...channels.scenarios,
  ...splitBrain.scenarios,
};
