// Many times in little room: counted in steps of two hundredths, so that a minute of them costs some kilobytes and two
// processes can add theirs up.

const STEP = Math.log(1.02);
const LEAST_MS = 0.05;

const bucketOf = ms => Math.max(0, Math.ceil(Math.log(ms / LEAST_MS) / STEP));

export class Times {
  #counts = [];
  count = 0;
  max = 0;

  add(ms) {
    const bucket = bucketOf(ms);
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.count += 1;
    this.max = Math.max(this.max, ms);
  }

  /** As `summary` of `measure.js` gives it, right to 2 %. */
  get summary() {
    const at = share => {
      let left = Math.ceil(this.count * share);
      const bucket = this.#counts.findIndex(count => (left -= count ?? 0) <= 0);
      return bucket < 0 ? null : Math.round(Math.min(this.max, LEAST_MS * Math.exp(bucket * STEP)));
    };
    return { count: this.count, p50: at(0.5), p99: at(0.99), max: this.count === 0 ? null : Math.round(this.max) };
  }
}
