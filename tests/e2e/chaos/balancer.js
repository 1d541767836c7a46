// The load balancer's view of the pods: it asks each for `/health/ready` and sends nobody to one that says no. It learns of a
// drain no sooner than a real one would, so what is sent in between tests that a draining pod still serves.
import { request } from '../support/http.js';

const ASK_EVERY_MS = 200;

export class Balancer {
  #pods;
  #timers;
  #asking = new Set();

  /** Follows the pods of a `Pods` until it is stopped. */
  constructor(pods) {
    this.#pods = pods;
    this.#timers = pods.all.map(pod => setInterval(() => this.#ask(pod), ASK_EVERY_MS));
  }

  stop() {
    for (const timer of this.#timers) clearInterval(timer);
  }

  /** One question a pod at a time: a pod that does not answer keeps the view that there is of it. */
  async #ask(pod) {
    if (this.#asking.has(pod)) return;
    this.#asking.add(pod);
    const isReady = await request(pod, '/health/ready').then(({ status }) => status === 200, () => false);
    this.#asking.delete(pod);
    if (isReady === this.#pods.inService.includes(pod)) return;
    if (isReady) this.#pods.putInService(pod);
    else this.#pods.takeOutOfService(pod);
  }
}
