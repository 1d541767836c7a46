// Tokens as a shop makes them, and as somebody does who would like to.
import { createHmac, generateKeyPairSync, sign } from 'node:crypto';

const part = value => Buffer.from(JSON.stringify(value)).toString('base64url');

/** Seconds since 1970, `secs` from now. */
export const inSecs = secs => Math.floor(Date.now() / 1000) + secs;

/** A token with this header and these claims; `signed` makes the signature of its first two parts. */
export function token(header, claims, signed) {
  const message = `${part(header)}.${part(claims)}`;
  return `${message}.${signed(message).toString('base64url')}`;
}

export const hs256 = (secret, claims = { exp: inSecs(600) }, header = {}) =>
  token({ alg: 'HS256', typ: 'JWT', ...header }, claims, message => createHmac('sha256', secret).update(message).digest());

const pair = (alg, type, options, how) => {
  const { publicKey, privateKey } = generateKeyPairSync(type, options);
  return {
    alg,
    pem: publicKey.export({ type: 'spki', format: 'pem' }),
    token: (claims = { exp: inSecs(600) }) =>
      token({ alg, typ: 'JWT', kid: 'a-name-of-the-shop' }, claims, message => sign(how.digest, Buffer.from(message), { key: privateKey, ...how.key })),
  };
};

/** A new key pair: `pem` for the gateway, `token(claims)` for its clients. */
export const KEY_PAIRS = {
  RS256: () => pair('RS256', 'rsa', { modulusLength: 2048 }, { digest: 'sha256' }),
  ES256: () => pair('ES256', 'ec', { namedCurve: 'P-256' }, { digest: 'sha256', key: { dsaEncoding: 'ieee-p1363' } }),
  EdDSA: () => pair('EdDSA', 'ed25519', {}, { digest: null }),
};
