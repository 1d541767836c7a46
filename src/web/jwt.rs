//! [`JwtKeys`]: whether a JSON Web Token was signed by somebody who may, and is good now. No I/O and no clock.
//!
//! The algorithm belongs to the key and is never taken from the token: a token whose `alg` is another one is refused,
//! so neither `none` nor a public key used as a secret gets anywhere. Every reason to refuse gives the same answer.
//! `kid`, `aud` and `iss` are not looked at; `crit` asks for something unknown here and is refused.

use std::{fmt, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    hmac,
    signature::{
        ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
        VerificationAlgorithm,
    },
};
use rustls_pki_types::{SubjectPublicKeyInfoDer, pem::PemObject as _};
use serde_json::{Map, Value};
use spki::{ObjectIdentifier, SubjectPublicKeyInfoRef};

use crate::model::LogTime;

/// The keys that may have signed a token.
#[derive(Clone, Default)]
pub struct JwtKeys(Vec<JwtKey>);

#[derive(Clone)]
struct JwtKey {
    /// The one `alg` this key is for.
    alg: &'static str,
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    Secret(hmac::Key),
    Public(UnparsedPublicKey<Vec<u8>>),
}

/// The token is not good. It does not say why: the answer must not help to forge one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unauthorized")]
pub struct Unauthorized;

/// Longer tokens are refused unread.
const TOKEN_BYTES_MAX: usize = 4 * 1024;
/// How far `nbf` may be ahead: a token straight from a shop whose clock runs fast. Browsers do not come back by themselves
/// after a refusal, so a second too early would cost the whole visit.
const NOT_BEFORE_LEEWAY_SECS: f64 = 60.0;
/// No connection lasts this long, so a token that is good for longer need not be told apart.
const LIFETIME_MAX_SECS: f64 = 365.0 * 86_400.0;

impl JwtKeys {
    /// A secret shared with whoever signs: HS256.
    pub fn from_secret(secret: &str) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        Self(vec![JwtKey { alg: "HS256", kind: Kind::Secret(key) }])
    }

    /// The public keys of one or several PEM blocks; the kind of each says its algorithm. `None`: something in the
    /// text is no such key.
    pub fn from_public_keys(pem: &str) -> Option<Self> {
        // Where a variable cannot hold line breaks, they come written out. Base64 has no backslash.
        let pem = pem.replace("\\n", "\n");
        let blocks = SubjectPublicKeyInfoDer::pem_slice_iter(pem.as_bytes());
        let keys: Vec<_> = blocks.map(|block| public_key(&block.ok()?)).collect::<Option<_>>()?;
        // The reader passes over blocks of other kinds. A private key or a certificate here is a mistake to be told.
        if keys.is_empty() || pem.matches("-----BEGIN").count() != keys.len() {
            return None;
        }
        Some(Self(keys))
    }

    /// These and those.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    /// Without keys no token can be judged.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Judges a token; `Ok`: how long it is still good.
    pub fn verify(&self, token: &str, now: LogTime) -> Result<Duration, Unauthorized> {
        let claims = self.claims(token).ok_or(Unauthorized)?;
        remaining(&claims, now).ok_or(Unauthorized)
    }

    /// What a token says, if one of the keys signed it.
    fn claims(&self, token: &str) -> Option<Map<String, Value>> {
        if token.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let header = object(header)?;
        let alg = header.get("alg")?.as_str()?;
        if header.contains_key("crit") {
            return None;
        }
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let mut keys = self.0.iter().filter(|key| key.alg == alg);
        keys.any(|key| key.signed(signed.as_bytes(), &signature)).then(|| object(claims))?
    }
}

impl JwtKey {
    fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.kind {
            Kind::Secret(key) => hmac::verify(key, message, signature).is_ok(),
            Kind::Public(key) => key.verify(message, signature).is_ok(),
        }
    }
}

/// One part of a token: base64url without padding, and in it a JSON object.
fn object(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

/// How long claims are still good; `None`: they are not, or do not say it as they should. Times are numbers: a text in
/// their place is no time that may be passed over.
fn remaining(claims: &Map<String, Value>, now: LogTime) -> Option<Duration> {
    #[expect(clippy::cast_precision_loss, reason = "exact for the next 280 years")]
    let now_secs = now.micros() as f64 / 1e6;
    let expires_secs = claims.get("exp")?.as_f64()?;
    if let Some(not_before) = claims.get("nbf") {
        not_before.as_f64().filter(|secs| *secs <= now_secs + NOT_BEFORE_LEEWAY_SECS)?;
    }
    let left_secs = expires_secs - now_secs;
    (left_secs > 0.0).then(|| Duration::from_secs_f64(left_secs.min(LIFETIME_MAX_SECS)))
}

fn public_key(der: &[u8]) -> Option<JwtKey> {
    const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
    const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
    const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
    const ED_25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
    /// The shortest encoding of a modulus of 2048 bits and its exponent. Of a shorter key nothing would be accepted.
    const RSA_BYTES_MIN: usize = 266;
    let info = SubjectPublicKeyInfoRef::try_from(der).ok()?;
    let key = info.subject_public_key.as_bytes()?;
    let curve = info.algorithm.parameters_oid().ok();
    let (alg, algorithm): (_, &dyn VerificationAlgorithm) = match info.algorithm.oid {
        RSA if key.len() >= RSA_BYTES_MIN => ("RS256", &RSA_PKCS1_2048_8192_SHA256),
        EC if curve == Some(P256) => ("ES256", &ECDSA_P256_SHA256_FIXED),
        ED_25519 => ("EdDSA", &ED25519),
        _ => return None,
    };
    Some(JwtKey { alg, kind: Kind::Public(UnparsedPublicKey::new(algorithm, key.to_vec())) })
}

impl fmt::Debug for JwtKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|key| key.alg)).finish()
    }
}

#[cfg(test)]
mod tests;
