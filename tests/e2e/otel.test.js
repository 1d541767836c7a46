// A gateway built with the feature `otel`, and a small collector that keeps the bytes it gets (OTLP/HTTP, protobuf).
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, describe, test } from 'node:test';

import { RedisServer } from './chaos/redis.js';
import { Gateway } from './support/gateway.js';
import { post, price } from './support/notify.js';
import { fresh } from './support/shapes.js';
import { openStream, streamPath } from './support/sse.js';
import { until } from './support/wait.js';

const BINARY = process.env.SHELFCAST_OTEL_BIN;
const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';
const CALLER_ID = 'b7ad6b7169203331';

/** Spans as [name, trace id, span id, parent id], read out of protobuf: enough of it for this. */
function spansIn(bytes) {
  const spans = [];
  // ExportTraceServiceRequest.resource_spans(1) > ResourceSpans.scope_spans(2) > ScopeSpans.spans(2)
  for (const resource of fieldsOf(bytes)[1] ?? []) {
    for (const scope of fieldsOf(resource)[2] ?? []) {
      for (const span of fieldsOf(scope)[2] ?? []) {
        const { 1: [trace], 2: [own], 4: [parent] = [Buffer.alloc(0)], 5: [name] } = fieldsOf(span);
        spans.push({ name: name.toString(), trace: trace.toString('hex'), own: own.toString('hex'), parent: parent.toString('hex') });
      }
    }
  }
  return spans;
}

/** The length-delimited fields of a message, by their number. */
function fieldsOf(bytes) {
  const found = {};
  let at = 0;
  const varint = () => {
    for (let value = 0, shift = 0; ; shift += 7) {
      const byte = bytes[at++];
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    const kind = tag & 7;
    if (kind === 0) varint();
    else if (kind === 1) at += 8;
    else if (kind === 5) at += 4;
    else {
      const length = varint();
      (found[tag >>> 3] ??= []).push(bytes.subarray(at, at + length));
      at += length;
    }
  }
  return found;
}

async function startCollector() {
  const spans = [];
  const server = http.createServer((incoming, answer) => {
    const chunks = [];
    incoming.on('data', chunk => chunks.push(chunk)).on('end', () => {
      if (incoming.url === '/v1/traces') spans.push(...spansIn(Buffer.concat(chunks)));
      answer.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
    });
  });
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
  return { spans, url: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}

describe('spans', { skip: BINARY ? false : 'SHELFCAST_OTEL_BIN is not set: make test-e2e' }, () => {
  let collector;
  let redis;
  const pods = [];

  before(async () => {
    [collector, redis] = [await startCollector(), await RedisServer.start()];
    for (const name of ['pod-a', 'pod-b']) {
      pods.push(await Gateway.start({
        REDIS_URL: redis.url, POD_NAME: name, BATCH_WINDOW_MS: '20', OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_BSP_SCHEDULE_DELAY: '200',
      }, BINARY));
    }
  });
  after(async () => {
    await Promise.all(pods.map(pod => pod.stop()));
    await redis.kill9();
    collector.close();
  });

  /** Tells one event at the first pod to a viewer at the second, and waits for the spans that `fits`. */
  async function traced(t, traceparent, fits) {
    const product = fresh();
    const viewer = await openStream(t, pods[1], streamPath([product]));
    const answer = await post(pods[0], price(product, 1), { headers: { traceparent } });
    assert.equal(answer.status, 202);
    await viewer.nextBatch(product);
    await until(() => fits(collector.spans), () => `the spans, among ${JSON.stringify(collector.spans)}`);
  }

  test("of taking in and of flushing arrive in the publisher's trace, from both pods", async t => {
    // Goal: the trace goes through the log. Method: taken in by one pod, flushed by the other.
    const span = name => collector.spans.find(span => span.name === name && span.trace === TRACE_ID);
    await traced(t, `00-${TRACE_ID}-${CALLER_ID}-01`, () => span('ingest') && span('flush'));
    assert.equal(span('ingest').parent, CALLER_ID);
    assert.equal(span('flush').parent, span('ingest').own);
  });

  test('of a traceparent that cannot be read arrive in a trace of their own', async t => {
    // Goal: the standard's rule. Method: an all-zero trace id, which is none.
    const known = new Set(collector.spans.map(({ trace }) => trace));
    const begun = () => collector.spans.find(({ name, trace }) => name === 'ingest' && !known.has(trace));
    await traced(t, `00-${'0'.repeat(32)}-${CALLER_ID}-01`, begun);
    assert.match(begun().trace, /^(?!0{32})[0-9a-f]{32}$/);
    assert.equal(begun().parent, '');
  });

  test('of what the publisher does not record are not made', async t => {
    // Goal: whoever begins a trace decides. Method: the flag 00, then one that is recorded, which comes after it.
    const quiet = 'a'.repeat(32);
    const loud = 'b'.repeat(32);
    await traced(t, `00-${quiet}-${CALLER_ID}-00`, () => true);
    await traced(t, `00-${loud}-${CALLER_ID}-01`, spans => spans.filter(({ trace }) => trace === loud).length === 2);
    assert.ok(!collector.spans.some(({ trace }) => trace === quiet));
  });
});
