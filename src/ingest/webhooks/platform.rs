//! [`Platform`]: what the pipeline asks of a platform, and [`Delivery`]: what came. No I/O and no clock.

use std::fmt;

use axum::{
    Json,
    http::{HeaderMap, Uri, header::CACHE_CONTROL},
    response::{IntoResponse, Response},
};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{Intake, Secrets};
use crate::{
    eventlog::{Appended, BodyDigest, ClaimKey, RequestClaim},
    model::LogTime,
    web::Problem,
};

/// One request of a platform, its body as it came: whoever parses and writes it again cannot verify it any more.
#[derive(Debug, Clone, Copy)]
pub struct Delivery<'a> {
    /// The headers. On most platforms they are not signed.
    pub headers: &'a HeaderMap,
    /// The body.
    pub body: &'a [u8],
}

impl<'a> Delivery<'a> {
    /// The header of this name, if there is one, no second, and it is plain text.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        header(self.headers, name)
    }
}

/// The header of this name, if there is one, no second, and it is plain text.
pub(super) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

/// One platform that posts to us. Everything about it stands in one file; everything is pure.
pub trait Platform: fmt::Debug + Send + Sync + 'static {
    /// Its name in figures; one of [`WEBHOOK_PLATFORMS`](crate::telemetry::WEBHOOK_PLATFORMS).
    fn name(&self) -> &'static str;

    /// What it signs with.
    fn secrets(&self) -> &Secrets;

    /// Whether a request claims to be signed. What does not is refused before its body is read, but for
    /// [`unsigned_bytes_max`](Self::unsigned_bytes_max).
    fn is_signed(&self, headers: &HeaderMap) -> bool;

    /// Whether the signature is good. Nothing of the body has been parsed before.
    fn verify(&self, delivery: Delivery<'_>, now: LogTime) -> bool;

    /// The headers by which its sender signs a body, with the first secret; none without one. `id` names the delivery where
    /// that is signed, too. The gateway itself signs nothing: this is for tools.
    fn sign(&self, body: &[u8], id: &str, now: LogTime) -> Vec<(&'static str, String)>;

    /// What a verified delivery says. `Err`: nothing that can be taken in; sending it again does not help.
    fn read(&self, delivery: Delivery<'_>, now: LogTime) -> Result<Intake, Problem>;

    /// The answer that it counts as success. `None`: there was nothing to append.
    fn answer(&self, _appended: Option<Appended>) -> Response {
        acknowledged()
    }

    /// Whether it sends again what was refused for now.
    fn sends_again(&self) -> bool {
        true
    }

    /// Bytes of a body that it may send without a signature.
    fn unsigned_bytes_max(&self) -> usize {
        0
    }

    /// Answers what came without a signature, which can be no more than a greeting. `None`: it is none.
    fn answer_unsigned(&self, _body: &[u8]) -> Option<Response> {
        None
    }

    /// Answers the question that comes by GET when the platform is set up.
    fn handshake(&self, _uri: &Uri) -> Handshake {
        Handshake::Unknown
    }
}

/// Names a delivery by what the platform calls it and by its body. With the body in the key, nothing is left to compare it with.
pub(super) fn claim(platform: &str, names: &[&str], body: &[u8]) -> RequestClaim {
    let body = Sha256::digest(body);
    let parts: Vec<&[u8]> = names.iter().map(|name| name.as_bytes()).chain([body.as_slice()]).collect();
    RequestClaim { key: ClaimKey::delivery(platform, &parts), body: BodyDigest::of(&[]) }
}

/// 200 and two words, which is enough for every platform.
pub(super) fn acknowledged() -> Response {
    ([(CACHE_CONTROL, "no-store")], Json(json!({"ok": true}))).into_response()
}

/// The answer to a GET.
#[derive(Debug)]
pub enum Handshake {
    /// This platform asks nothing by GET.
    Unknown,
    /// It was never told what to expect.
    NotConfigured,
    /// Whoever asks does not know the token.
    Refused,
    /// Yes.
    Granted(Response),
}
