// One HTTP request, one connection, nothing added: what a test does not send is not on the wire.
import http from 'node:http';

import { within } from './wait.js';

/** Sends a request and reads the whole answer: `{ status, headers, text, json }`, `json` undefined if it is none. */
export function request(gateway, path, { method = 'GET', headers = {}, body } = {}) {
  const answer = new Promise((resolve, reject) => {
    const outgoing = http.request(`${gateway.url}${path}`, { method, headers, agent: false }, incoming => {
      const chunks = [];
      incoming.on('data', chunk => chunks.push(chunk));
      incoming.on('error', reject);
      incoming.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        resolve({ status: incoming.statusCode, headers: incoming.headers, text, json: parsed(text) });
      });
    });
    outgoing.on('error', reject);   // After an answer has come this changes nothing.
    outgoing.end(body);
  });
  return within(answer, `the answer to ${method} ${path}`);
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
