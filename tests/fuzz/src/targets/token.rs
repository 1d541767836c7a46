//! JSON Web Tokens: whatever is presented, nobody gets in without the key, and nobody stays longer than the token says.
//!
//! An input that has a line break is a header and claims, which are signed here with the key; any other is a token as it
//! was presented.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::hmac;
use serde_json::Value;
use shelfcast::{model::LogTime, web::JwtKeys};

const SECRET: &str = "the secret of this target, 32 long";
/// 2026-01-01.
const NOW_SECS: i64 = 1_767_225_600;
/// `nbf` may be ahead by a minute; a connection is kept for a year at most.
const NOT_BEFORE_LEEWAY_SECS: f64 = 60.0;
const LIFETIME_MAX_SECS: u64 = 365 * 86_400;

/// Runs one input.
pub fn run(input: &[u8]) {
    let token = match input.iter().position(|byte| *byte == b'\n') {
        Some(at) => signed(&input[..at], &input[at + 1..]),
        None => String::from_utf8_lossy(input).into_owned(),
    };
    let keys = JwtKeys::from_secret(SECRET);
    let Ok(left) = keys.verify(&token, LogTime::from_micros(NOW_SECS * 1_000_000)) else { return };
    assert!(!left.is_zero() && left.as_secs() <= LIFETIME_MAX_SECS, "good for {left:?}");
    let parts: Vec<_> = token.split('.').collect();
    let [header, claims, signature] = parts[..] else { panic!("{} parts", parts.len()) };
    assert_eq!(signature, sign(&format!("{header}.{claims}")), "a signature that is not the key's");
    let (header, claims) = (object(header), object(claims));
    assert_eq!(header["alg"], "HS256");
    assert!(header.get("crit").is_none(), "what must be understood was passed over");
    let now = NOW_SECS as f64;
    let expires = claims["exp"].as_f64().expect("a number");
    assert!(expires > now, "expired");
    assert!((left.as_secs_f64() - (expires - now)).abs() < 1e-3 || left.as_secs() == LIFETIME_MAX_SECS);
    if let Some(not_before) = claims.get("nbf") {
        assert!(not_before.as_f64().expect("a number") <= now + NOT_BEFORE_LEEWAY_SECS, "not yet good");
    }
}

fn signed(header: &[u8], claims: &[u8]) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    format!("{message}.{}", sign(&message))
}

fn sign(message: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    URL_SAFE_NO_PAD.encode(hmac::sign(&key, message.as_bytes()))
}

fn object(part: &str) -> Value {
    let bytes = URL_SAFE_NO_PAD.decode(part).expect("base64url");
    let value: Value = serde_json::from_slice(&bytes).expect("JSON");
    assert!(value.is_object());
    value
}
