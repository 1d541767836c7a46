// Publishing: the verbs of a shop's back-end.
import assert from 'node:assert/strict';

import { API_KEY } from './gateway.js';
import { request } from './http.js';

/** POST with a good key and content type; a header set to `null` is left out. `body`: text or bytes as they are, else JSON. */
export function post(gateway, body, { path = '/api/notify', headers = {} } = {}) {
  const all = { 'x-api-key': API_KEY, 'content-type': 'application/json', ...headers };
  const sent = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== null));
  const bytes = typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body);
  return request(gateway, path, { method: 'POST', headers: sent, body: bytes });
}

/** Publishes the events in one request and gives back the 202 answer. */
export async function notify(gateway, ...events) {
  const answer = await post(gateway, { events });
  assert.equal(answer.status, 202, answer.text);
  return answer.json;
}

export const price = (productId, newPrice) => ({ productId, type: 'price_update', data: { newPrice } });
