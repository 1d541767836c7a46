//! The HTTP side of notify: keys, media type, size. What the body says is [`mod@notify`]'s.

use std::{net::IpAddr, sync::Arc};

use axum::{
    body::Body,
    extract::{ConnectInfo, Request, State},
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::time::Instant;

use super::{
    Gate,
    notify::{self, Accepted, BODY_BYTES_MAX, Form},
};
use crate::{
    net::Connection,
    web::{ApiKeys, FailureLimiter, Problem, presented_key},
};

/// Everything the notify routes need.
#[derive(Debug)]
pub struct NotifyDoor {
    /// Where events go.
    pub gate: Arc<Gate>,
    /// Who may send them.
    pub keys: ApiKeys,
    /// Who guesses keys.
    pub failures: FailureLimiter,
}

/// `POST /api/notify`.
pub async fn notify(State(door): State<Arc<NotifyDoor>>, request: Request) -> Result<Response, Problem> {
    door.serve(request, Form::Any).await
}

/// `POST /api/notify/batch`.
pub async fn notify_batch(
    State(door): State<Arc<NotifyDoor>>,
    request: Request,
) -> Result<Response, Problem> {
    door.serve(request, Form::Batch).await
}

impl NotifyDoor {
    async fn serve(&self, request: Request, form: Form) -> Result<Response, Problem> {
        let arrived = Instant::now();
        let peer = request.extensions().get::<ConnectInfo<Connection>>().map(|info| info.0.peer().ip());
        self.authorize(request.headers(), peer, arrived)?;
        self.gate.check_open().await?;
        check_media(request.headers())?;
        let (head, body) = request.into_parts();
        let body = read_body(&head.headers, body).await?;
        let key = head.headers.get("idempotency-key").map(HeaderValue::as_bytes);
        let append = notify::parse(&body, form, key, self.gate.clock().now())?;
        let appended = self.gate.accept(append, arrived).await?;
        let answer = serde_json::to_vec(&Accepted::from(appended)).unwrap_or_default();
        let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")];
        Ok((StatusCode::ACCEPTED, headers, answer).into_response())
    }

    /// A good key always passes; only wrong ones are counted, so nobody can lock a publisher out.
    fn authorize(&self, headers: &HeaderMap, peer: Option<IpAddr>, now: Instant) -> Result<(), Problem> {
        if presented_key(headers).is_some_and(|key| self.keys.accept(key)) {
            return Ok(());
        }
        let tries = peer.map_or(Ok(()), |peer| self.failures.failed(peer, now));
        Err(tries.map_or_else(Problem::rate_limited, |()| Problem::unauthorized()))
    }
}

fn check_media(headers: &HeaderMap) -> Result<(), Problem> {
    let media = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let essence = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let json =
        essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"));
    if !json {
        return Err(Problem::unsupported_media_type());
    }
    match headers.get(CONTENT_ENCODING) {
        Some(encoding) if encoding.as_bytes() != b"identity" => Err(Problem::unsupported_encoding()),
        _ => Ok(()),
    }
}

/// Reads the body up to the cap; a longer one is refused before it is buffered where its length is told.
async fn read_body(headers: &HeaderMap, body: Body) -> Result<Bytes, Problem> {
    let told =
        headers.get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()).and_then(|v| v.parse::<usize>().ok());
    if told.is_some_and(|told| told > BODY_BYTES_MAX) {
        return Err(Problem::body_too_large(BODY_BYTES_MAX));
    }
    match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error)
            if error.is::<LengthLimitError>()
                || error.source().is_some_and(|e| e.is::<LengthLimitError>()) =>
        {
            Err(Problem::body_too_large(BODY_BYTES_MAX))
        }
        // The connection broke on the way, so nobody reads this answer.
        Err(_) => Err(Problem::malformed_json(1, 1, "the body ended early")),
    }
}
