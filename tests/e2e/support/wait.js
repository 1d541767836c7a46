// Waiting with a deadline: nothing in these tests waits for ever, and nothing sleeps where something can be awaited.

/** How long anything may take before the test calls it lost. Generous: a busy machine is slow, a lost event never comes. */
export const DEADLINE_MS = 15_000;

/** The result of `promise`, or a failure that names what was awaited. */
export async function within(promise, what, deadlineMs = DEADLINE_MS) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${deadlineMs} ms in vain for ${said(what)}`)), deadlineMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Asks again and again, for what cannot be subscribed to (a port, a health report), until the answer is truthy. */
export async function until(ask, what, deadlineMs = DEADLINE_MS) {
  const end = performance.now() + deadlineMs;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (performance.now() > end) throw new Error(`waited ${deadlineMs} ms in vain for ${said(what)}`);
    await pause(25);
  }
}

/** A short quiet period. Only to prove that nothing comes; what does come is awaited. */
export const pause = ms => new Promise(resolve => setTimeout(resolve, ms));

/** What came and was not read yet, in order of arrival; `next` takes the first that fits or waits for it. */
export class Mailbox {
  #unread = [];
  #waiting = [];

  push(item) {
    const at = this.#waiting.findIndex(waiter => waiter.fits(item));
    if (at < 0) this.#unread.push(item);
    else this.#waiting.splice(at, 1)[0].resolve(item);
  }

  get unread() {
    return [...this.#unread];
  }

  async next(what, fits = () => true, deadlineMs = DEADLINE_MS) {
    const at = this.#unread.findIndex(item => fits(item));
    if (at >= 0) return this.#unread.splice(at, 1)[0];
    const waiter = { fits };
    const arrival = new Promise(resolve => { waiter.resolve = resolve; });
    this.#waiting.push(waiter);
    try {
      return await within(arrival, () => `${what}; unread: ${brief(this.#unread)}`, deadlineMs);
    } finally {
      this.#waiting = this.#waiting.filter(other => other !== waiter);
    }
  }
}

const said = what => (typeof what === 'function' ? what() : what);
const brief = value => JSON.stringify(value).slice(0, 1500);
