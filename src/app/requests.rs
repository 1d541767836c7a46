//! Who asks, by name: each request gets an id, its caller's or a new one, which the answer, its problem, log lines and the
//! log carry on. Refuses nothing.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};

use crate::{model::TraceParent, telemetry::Context};

/// What a request is called, by its caller or by us.
pub(super) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// In which trace it is sent.
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Characters of an id that is taken over: room for a UUID and for what proxies put before one.
const REQUEST_ID_LEN_MAX: usize = 64;

/// Serves a request in its own name.
pub(super) async fn identify(State(pod): State<Arc<str>>, request: Request, next: Next) -> Response {
    let (context, name) = named(&pod, request.headers());
    let mut response = context.scope(next.run(request)).await;
    response.headers_mut().insert(X_REQUEST_ID, name);
    response
}

/// On whose behalf a request with these headers is served, and what it is called in its answer.
pub(super) fn named(pod: &Arc<str>, headers: &HeaderMap) -> (Context, HeaderValue) {
    let id = request_id(headers);
    // All of it may stand in a header, or it would be another.
    let name = HeaderValue::from_str(&id).unwrap_or(HeaderValue::from_static("-"));
    let context = Context::of_request(Arc::clone(pod), id);
    match trace(headers) {
        Some((trace, caller_id)) => (context.in_trace(trace, caller_id), name),
        None => (context, name),
    }
}

/// The caller's, if it is one that harms no log: it stands in lines and in the log as it is.
fn request_id(headers: &HeaderMap) -> Arc<str> {
    let sane = |id: &str| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"._:~=+/-".contains(&b);
        (1..=REQUEST_ID_LEN_MAX).contains(&id.len()) && id.bytes().all(plain) && id != "-"
    };
    let given = headers.get(&X_REQUEST_ID).and_then(|id| id.to_str().ok()).filter(|id| sane(id));
    given.map_or_else(|| new_id(rand::random()), Into::into)
}

/// A number as 16 hexadecimal digits. By hand, because every request that brings no id needs one.
fn new_id(number: u64) -> Arc<str> {
    let mut digits = [0; 16];
    for (place, digit) in digits.iter_mut().rev().enumerate() {
        *digit = b"0123456789abcdef"[(number >> (4 * place) & 15) as usize];
    }
    std::str::from_utf8(&digits).unwrap_or("-").into()
}

/// The trace of the caller with a new span in it, and the caller's own span. What cannot be read is ignored, and a trace
/// begins here, recorded as somebody wanted one to be.
fn trace(headers: &HeaderMap) -> Option<(TraceParent, Option<u64>)> {
    let mut parents = headers.get_all(&TRACEPARENT).iter();
    let given = parents.next()?;
    let one = parents.next().is_none();
    let parent = given.to_str().ok().filter(|_| one).and_then(|text| text.parse::<TraceParent>().ok());
    Some(match parent {
        Some(parent) => (parent.child(rand::random()), Some(parent.span_id)),
        None => (TraceParent::begin(rand::random(), rand::random(), true), None),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &'static str, values: &[&'static str]) -> HeaderMap {
        values.iter().map(|value| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_sane_id_is_taken_over_and_any_other_replaced() {
        let id = |value: &'static str| request_id(&with("x-request-id", &[value]));
        for sane in ["a", "0b7e4c1f-9a5d-4e63-b2c8-f70d51a6c3d4", "Root=1-67891233-abcdef012345678912345678"]
        {
            assert_eq!(&*id(sane), sane);
        }
        for other in [
            "",
            "-",
            "two words",
            "<b>",
            "0123456789012345678901234567890123456789012345678901234567890123456",
        ] {
            let made = id(other);
            assert!(made.len() == 16 && &*made != other, "{other}: {made}");
        }
        assert_ne!(request_id(&HeaderMap::new()), request_id(&HeaderMap::new()));
    }

    #[test]
    fn a_new_id_is_sixteen_digits() {
        for (number, id) in [(0, "0000000000000000"), (0x0123_4567_89ab_cdef, "0123456789abcdef")] {
            assert_eq!(&*new_id(number), id);
        }
    }

    #[test]
    fn a_trace_goes_on_and_one_that_cannot_be_read_begins_anew() {
        const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let good: TraceParent = GOOD.parse().unwrap();
        let (here, caller_id) = trace(&with("traceparent", &[GOOD])).unwrap();
        assert_eq!((here.trace_id, caller_id, here.sampled), (good.trace_id, Some(good.span_id), true));
        assert_ne!(here.span_id, good.span_id);
        for bad in [with("traceparent", &["00-oops"]), with("traceparent", &[GOOD, GOOD])] {
            let (begun, caller_id) = trace(&bad).unwrap();
            assert!(begun.trace_id != good.trace_id && caller_id.is_none());
        }
        assert_eq!(trace(&HeaderMap::new()), None, "who does not trace pays nothing");
    }
}
