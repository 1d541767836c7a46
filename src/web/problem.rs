//! [`Problem`]: the one error type at the HTTP edge, RFC 9457 `application/problem+json`.

use std::{fmt, time::Duration};

use axum::{
    http::{
        HeaderValue, StatusCode,
        header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::telemetry::Context;

/// Why a request was refused. A refused request changed nothing.
///
/// `code` is stable and meant for programs; `detail` is for people and may change. 4xx: the caller is at fault and
/// should not retry unchanged, except 429; 503: retry after `Retry-After`, with the same `Idempotency-Key`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Problem(Box<Fields>);

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Fields {
    #[serde(skip)]
    status: StatusCode,
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    #[serde(rename = "status")]
    status_code: u16,
    code: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    detail: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
    /// What to name when asking the operator.
    #[serde(rename = "requestId", skip_serializing_if = "Option::is_none")]
    request_id: Option<Box<str>>,
    #[serde(skip)]
    retry_after: Option<Duration>,
}

/// Left in the extensions of a problem's response, so that refusals are counted in one place.
#[derive(Debug, Clone, Copy)]
pub struct RefusedWith(pub &'static str);

/// One field that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// Where, such as `events[3].productId`; empty: the body itself.
    pub path: String,
    /// What was expected there.
    pub expected: String,
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, title: &'static str) -> Self {
        Self(Box::new(Fields {
            status,
            kind: "about:blank",
            title,
            status_code: status.as_u16(),
            code,
            detail: String::new(),
            errors: Vec::new(),
            line: None,
            column: None,
            request_id: None,
            retry_after: None,
        }))
    }

    /// The body is not JSON; `line` and `column` count from 1.
    pub fn malformed_json(line: usize, column: usize, detail: impl Into<String>) -> Self {
        let title = "The body is not valid JSON";
        let mut problem = Self::new(StatusCode::BAD_REQUEST, "malformed_json", title);
        (problem.0.line, problem.0.column) = (Some(line), Some(column));
        problem.detail(detail)
    }

    /// A query parameter is missing or not as it should be.
    pub fn bad_request(path: &str, expected: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", "The request is not as it should be")
            .field(path, expected)
    }

    /// A product id in a query is none.
    pub fn invalid_product_id(path: &str, expected: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_product_id", "That is no product id")
            .field(path, expected)
    }

    /// More products than one connection may track.
    pub fn too_many_products(max: usize) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "too_many_products", "Too many products for one stream")
            .field("products", format!("at most {max} product ids"))
    }

    /// No key, or a wrong one; the two are not told apart.
    pub fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "A valid API key is needed")
            .detail("send it as `X-API-Key: <key>` or `Authorization: Bearer <key>`")
    }

    /// The key came in the URL, where it is not looked at.
    pub fn key_in_url() -> Self {
        Self::unauthorized().detail(
            "a key in the URL is never accepted, and by now stands in logs of proxies: replace that key, and send the \
             new one as `X-API-Key: <key>` or `Authorization: Bearer <key>`",
        )
    }

    /// A bad token, or none where one is needed; nor is it told what is wrong with it.
    pub fn bad_token() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "A valid token is needed")
            .detail("send a JWT as `Authorization: Bearer <token>` or `?token=<token>`")
    }

    /// A delivery that was not signed with one of the secrets, or not at all; the two are not told apart.
    pub fn bad_signature() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "The signature is not good").detail(
            "the body must come as it was signed, with the secret that the gateway was given and its own clock right",
        )
    }

    /// Whoever sets up a webhook does not know the token for it.
    pub fn bad_verify_token() -> Self {
        Self::new(StatusCode::FORBIDDEN, "bad_verify_token", "The verify token is not good")
            .detail("give the platform the token that is set as META_VERIFY_TOKEN")
    }

    /// Nobody told the gateway what this platform signs with.
    pub fn webhook_not_configured() -> Self {
        let title = "This webhook is not configured";
        Self::new(StatusCode::NOT_FOUND, "webhook_not_configured", title)
            .detail("set the secret of this platform; README.md, Settings, names it")
    }

    /// The page that asks is not one this gateway serves.
    pub fn origin_not_allowed() -> Self {
        Self::new(StatusCode::FORBIDDEN, "origin_not_allowed", "This origin is not allowed")
            .detail("add it to ALLOWED_ORIGINS")
    }

    /// Nothing is served here.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "Nothing is served at this path")
    }

    /// Served here, but not with this method.
    pub fn method_not_allowed() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "This path does not take this method")
    }

    /// More bytes than the path takes.
    pub fn body_too_large(max_bytes: usize) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "The body is too large")
            .detail(format!("at most {max_bytes} bytes"))
    }

    /// The body came too slowly.
    pub fn body_timeout() -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", "The body came too slowly")
    }

    /// A longer URL than is taken.
    pub fn uri_too_long(max_bytes: usize) -> Self {
        Self::new(StatusCode::URI_TOO_LONG, "uri_too_long", "The URL is too long")
            .detail(format!("at most {max_bytes} bytes"))
    }

    /// Not `application/json`.
    pub fn unsupported_media_type() -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "The body must be JSON")
            .detail("send `Content-Type: application/json`")
    }

    /// Compressed: refused, so that no small body can become a large one.
    pub fn unsupported_encoding() -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_encoding", "The body must not be encoded")
            .detail("send it without `Content-Encoding`")
    }

    /// JSON, but not an event, or not one that may be accepted.
    pub fn invalid_event(errors: Vec<FieldError>) -> Self {
        let title = "The request holds something that is no valid event";
        let mut problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_event", title);
        problem.0.errors = errors;
        problem
    }

    /// More events than one request may hold.
    pub fn too_many_events(count: usize, max: usize) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "too_many_events", "Too many events in one request")
            .detail(format!("{count} events"))
            .field("events", format!("1 to {max} events"))
    }

    /// The key stands for another body.
    pub fn idempotency_key_reused() -> Self {
        let title = "This Idempotency-Key was used for another request";
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused", title)
    }

    /// Too many wrong keys.
    pub fn rate_limited(retry_after: Duration) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", "Too many failed attempts")
            .retry(retry_after)
    }

    /// More than one client may send.
    pub fn too_many_messages(retry_after: Duration) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", "Too many messages").retry(retry_after)
    }

    /// More than can be served now.
    pub fn overloaded(retry_after: Duration) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", "Too many requests at once")
            .retry(retry_after)
    }

    /// The log did not answer: unknown whether the request took effect.
    pub fn log_unavailable(retry_after: Duration) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "log_unavailable", "The log is not available")
            .detail("it is unknown whether the request took effect: retry it with the same Idempotency-Key")
            .retry(retry_after)
    }

    /// This process is on its way out; another one takes over.
    pub fn draining(retry_after: Duration) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "draining", "This process is shutting down")
            .retry(retry_after)
    }

    fn detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = detail.into();
        self
    }

    fn field(mut self, path: &str, expected: impl Into<String>) -> Self {
        self.0.errors.push(FieldError { path: path.into(), expected: expected.into() });
        self
    }

    fn retry(mut self, after: Duration) -> Self {
        self.0.retry_after = Some(after);
        self
    }
}

/// One short line without anything the caller sent: the code, and the first thing that is wrong.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fields { code, detail, errors, line, column, .. } = &*self.0;
        f.write_str(code)?;
        if let Some(FieldError { path, expected }) = errors.first() {
            let colon = if path.is_empty() { "" } else { ": " };
            write!(f, ": {path}{colon}{expected}")?;
        } else if !detail.is_empty() {
            write!(f, ": {detail}")?;
        }
        match (line, column, errors.len()) {
            (Some(line), Some(column), _) => write!(f, " (line {line}, column {column})"),
            (_, _, 0 | 1) => Ok(()),
            (_, _, count) => write!(f, " (and {} more)", count - 1),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(mut self) -> Response {
        self.0.request_id = Context::request_id().map(|id| (*id).into());
        let Fields { code, status, .. } = &*self.0;
        tracing::debug!(code, status = status.as_u16(), "a request was refused");
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (self.0.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(after) = self.0.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
        }
        if self.0.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(RefusedWith(self.0.code));
        response
    }
}
