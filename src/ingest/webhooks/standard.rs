//! Standard Webhooks (specification 1.0.0): any backend that signs with a public library. The body is that of
//! `/api/notify`.
//!
//! `webhook-id`, `webhook-timestamp` and the body are signed, as `{id}.{timestamp}.{body}`. Signatures with public keys
//! (`v1a`) are not read.

use axum::{http::HeaderMap, response::Response};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{
    Delivery, Intake, Platform, Secrets, Signature, WebhooksConfig,
    platform::{acknowledged, header},
};
use crate::{
    eventlog::{Appended, BodyDigest, ClaimKey, RequestClaim},
    ingest::{
        http::accepted,
        notify::{self, Form},
    },
    model::LogTime,
    web::Problem,
};

/// A backend that signs by the specification.
#[derive(Debug)]
pub struct Standard(Secrets);

const ID: &str = "webhook-id";
const TIMESTAMP: &str = "webhook-timestamp";
const SIGNATURE: &str = "webhook-signature";

/// How far the sender's clock may be off, both ways; an older delivery may be a replay. The specification's libraries take
/// as much.
const TOLERANCE_SECS: i64 = 5 * 60;

impl Standard {
    /// With these secrets.
    pub fn new(config: &WebhooksConfig) -> Self {
        Self(config.standard.clone())
    }

    /// The key in a secret as the libraries write it: `whsec_` and base64 of 24 to 64 bytes; the former may be left out.
    pub fn key(secret: &str) -> Option<Vec<u8>> {
        let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap_or(secret)).ok()?;
        (24..=64).contains(&key.len()).then_some(key)
    }

    /// What is signed, in parts.
    pub fn signed<'a>(id: &'a str, timestamp: &'a str, body: &'a [u8]) -> [&'a [u8]; 5] {
        [id.as_bytes(), b".", timestamp.as_bytes(), b".", body]
    }
}

impl Platform for Standard {
    fn name(&self) -> &'static str {
        "standard"
    }

    fn secrets(&self) -> &Secrets {
        &self.0
    }

    fn is_signed(&self, headers: &HeaderMap) -> bool {
        [ID, TIMESTAMP, SIGNATURE].iter().all(|name| header(headers, name).is_some())
    }

    fn verify(&self, delivery: Delivery<'_>, now: LogTime) -> bool {
        let [Some(id), Some(timestamp), Some(signatures)] =
            [ID, TIMESTAMP, SIGNATURE].map(|name| delivery.header(name))
        else {
            return false;
        };
        let signatures: Vec<_> = signatures
            .split(' ')
            .filter_map(|one| one.strip_prefix("v1,"))
            .filter_map(Signature::from_base64)
            .collect();
        let good = self.0.verify(&Self::signed(id, timestamp, delivery.body), &signatures);
        good && is_recent(timestamp, now)
    }

    fn sign(&self, body: &[u8], id: &str, now: LogTime) -> Vec<(&'static str, String)> {
        let timestamp = (now.micros() / 1_000_000).to_string();
        let Some(signature) = self.0.sign(&Self::signed(id, &timestamp, body)) else { return Vec::new() };
        vec![
            (ID, id.to_owned()),
            (TIMESTAMP, timestamp),
            (SIGNATURE, format!("v1,{}", signature.to_base64())),
        ]
    }

    fn read(&self, delivery: Delivery<'_>, now: LogTime) -> Result<Intake, Problem> {
        // The id is the sender's own, stays the same when it tries again, and is signed.
        let id = delivery.header(ID).unwrap_or_default();
        let claim = RequestClaim {
            key: ClaimKey::delivery(self.name(), &[id.as_bytes()]),
            body: BodyDigest::of(delivery.body),
        };
        let events = notify::events(delivery.body, Form::Any, now)?;
        Ok(Intake { claim: Some(claim), events, ..Intake::default() })
    }

    /// As `/api/notify` answers.
    fn answer(&self, appended: Option<Appended>) -> Response {
        appended.map_or_else(acknowledged, accepted)
    }
}

fn is_recent(timestamp: &str, now: LogTime) -> bool {
    let sent: Option<i64> =
        timestamp.parse().ok().filter(|_| timestamp.bytes().all(|byte| byte.is_ascii_digit()));
    sent.is_some_and(|sent| (now.micros() / 1_000_000).abs_diff(sent) <= TOLERANCE_SECS.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SENT: i64 = 1_614_265_330;

    fn headers(changes: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let all = [
            (ID, "msg_p5jXN8AQM9LWM0D4loKWxJek"),
            (TIMESTAMP, "1614265330"),
            (SIGNATURE, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
        ];
        for (name, value) in all.iter().chain(changes) {
            headers.insert(*name, value.parse().unwrap());
        }
        headers
    }

    fn verify(headers: &HeaderMap, body: &[u8], at_secs: i64) -> bool {
        let config = WebhooksConfig {
            standard: Secrets::new([Standard::key(KEY).unwrap()]),
            ..WebhooksConfig::default()
        };
        let now = LogTime::from_micros(at_secs * 1_000_000);
        Standard::new(&config).verify(Delivery { headers, body }, now)
    }

    #[test]
    fn the_vector_of_the_specification_verifies_and_nothing_near_it() {
        assert!(verify(&headers(&[]), BODY, SENT));
        let good = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        for signature in [
            format!("v1,AAAA v2,x {good}"),
            format!("{good} v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw"),
            good.to_owned(),
        ] {
            assert!(verify(&headers(&[(SIGNATURE, &signature)]), BODY, SENT), "{signature}");
        }
        for signature in [&good[3..], &good.replace("v1,", "v1a,"), &good.replace("v1,", "v1 ,"), "v1,", ""] {
            assert!(!verify(&headers(&[(SIGNATURE, signature)]), BODY, SENT), "{signature}");
        }
        // What is signed besides the body, and the body written again.
        assert!(!verify(&headers(&[(ID, "msg_p5jXN8AQM9LWM0D4loKWxJel")]), BODY, SENT));
        assert!(!verify(&headers(&[(TIMESTAMP, "1614265331")]), BODY, SENT));
        assert!(!verify(&headers(&[]), br#"{"test":2432232314}"#, SENT));
    }

    #[test]
    fn an_old_delivery_is_refused_and_one_from_the_future_too() {
        for (off_secs, good) in [(299, true), (300, true), (301, false), (-300, true), (-301, false)] {
            assert_eq!(verify(&headers(&[]), BODY, SENT + off_secs), good, "{off_secs}");
        }
        for timestamp in ["", "+1614265330", "1614265330.0", "99999999999999999999", "now"] {
            let now = LogTime::from_micros(SENT * 1_000_000);
            assert!(!is_recent(timestamp, now), "{timestamp}");
        }
    }

    #[test]
    fn a_secret_is_base64_of_enough_bytes() {
        assert_eq!(Standard::key(KEY), Standard::key(&format!("whsec_{KEY}")));
        for bad in ["", "whsec_", "whsec_c2hvcnQ=", "not base64, and long enough for it", &"A".repeat(88 + 4)]
        {
            assert_eq!(Standard::key(bad), None, "{bad}");
        }
    }
}
