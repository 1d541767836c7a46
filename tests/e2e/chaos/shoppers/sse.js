// A shopper on the `eventsource` package. While its pod is in service the library reconnects by itself and says
// `Last-Event-ID`; when the pod is gone the shopper opens a new stream on another one with `?lastEventId=`.
//
// The library keeps to itself what the proof needs to know: which id a request carried, and ids that come without
// data. So its `fetch` is wrapped, and the bytes are looked at on their way; they are never changed.
import { EventSource } from 'eventsource';

import { Shopper } from './shopper.js';

export class SseShopper extends Shopper {
  #stream = null;   // `{ pod, source }`, the one that counts; what an older one still says is left out
  #lastId = null;

  connect(pod) {
    this.#stream?.source.close();
    const stream = { pod };
    this.#stream = stream;   // Before the source is made: it asks at once.
    const query = new URLSearchParams({ products: this.products.join(',') });
    if (this.isAnnounced) query.set('features', 'resync');
    if (this.#lastId !== null) query.set('lastEventId', this.#lastId);
    const source = new EventSource(`${pod.url}/api/events?${query}`, { fetch: (url, init) => this.#request(stream, url, init) });
    stream.source = source;
    const hear = (event, take) => source.addEventListener(event, message => { if (stream === this.#stream) take(message); });
    hear('error', () => this.lost());
    hear('batched_product_update', ({ data, lastEventId }) => {
      this.recordBatch(JSON.parse(data));
      if (lastEventId) this.#lastId = lastEventId;
    });
    hear('resync_required', ({ data }) => this.recordResync(JSON.parse(data)));
    hear('position', ({ lastEventId }) => this.#told(lastEventId));
  }

  /** The library's own way back is taken where there is one. It gives up for good on any answer but 200. */
  comeBack() {
    const { source, pod } = this.#stream;
    const isComingBack = source.readyState !== EventSource.CLOSED && this.around.pods.isInService(pod);
    if (!isComingBack) super.comeBack();
  }

  goAway() {
    super.goAway();
    this.#stream?.source.close();
  }

  async #request(stream, url, init) {
    const since = init.headers['Last-Event-ID'] ?? new URL(url).searchParams.get('lastEventId');
    this.opened(stream.pod);
    for (const product of this.products) this.record('join', { product, since });
    const response = await fetch(url, init);
    if (response.status !== 200) return response;
    const { status, headers, redirected } = response;
    return { url: response.url, status, headers, redirected, body: { getReader: () => this.#watch(stream, response.body.getReader()) } };
  }

  /** Reports ids without data only when the library asks for more: by then it has handed out what came before them. */
  #watch(stream, reader) {
    const decoder = new TextDecoder();
    let text = '';
    return {
      read: async () => {
        const blocks = text.split('\n\n');
        text = blocks.pop();
        for (const block of blocks) {
          if (stream === this.#stream && !/^data:/m.test(block)) this.#told(/^id: ?(.*)$/m.exec(block)?.[1]);
        }
        const { done, value } = await reader.read();
        if (!done) text += decoder.decode(value, { stream: true });
        return { done, value };
      },
    };
  }

  /**
   * A covered position. The first of a stream stands for the acknowledgement that SSE has not: it comes with the opening
   * block, right before what was missed, or after the word to refetch.
   */
  #told(id) {
    if (id === undefined || this.connection === null) return;
    this.#lastId = id;
    this.record('position', { cursor: id });
    if (this.isCaughtUp) return;
    for (const product of this.products) this.record('joined', { product, result: 'stream', cursor: id });
    this.caughtUp();
  }
}
