// Chance that can be repeated: the same seed gives the same choices. It decides nothing about when things happen.

export class Random {
  #state;

  constructor(seed) {
    this.#state = seed >>> 0;
  }

  /** In [0, 1). The generator is mulberry32: 32 bits of state, good enough to choose pods and products. */
  next() {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let bits = this.#state;
    bits = Math.imul(bits ^ (bits >>> 15), bits | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number from `low` to `high`, both included. */
  between(low, high) {
    return low + Math.floor(this.next() * (high - low + 1));
  }

  pick(list) {
    return list[this.between(0, list.length - 1)];
  }

  /** `count` different results of `choose`. */
  distinct(count, choose) {
    const chosen = new Set();
    while (chosen.size < count) chosen.add(choose());
    return [...chosen];
  }
}

export const productName = index => `product-${index}`;

/** A function that chooses a product: all alike (`uniform`), or a few of them most of the time (`zipf`, exponent 1). */
export function productChooser(random, count, distribution) {
  if (distribution === 'uniform') return () => productName(random.between(0, count - 1));
  if (distribution !== 'zipf') throw new Error(`no such distribution: ${distribution}`);
  const shares = [];
  let sum = 0;
  for (let rank = 1; rank <= count; rank++) shares.push(sum += 1 / rank);
  return () => {
    const at = random.next() * sum;
    let low = 0;
    for (let high = count - 1; low < high;) {
      const middle = (low + high) >> 1;
      if (shares[middle] <= at) low = middle + 1;
      else high = middle;
    }
    return productName(low);
  };
}
