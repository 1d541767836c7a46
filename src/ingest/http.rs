//! The HTTP side of notify: keys, media type, size. What the body says is [`mod@notify`]'s.

use std::{error::Error, sync::Arc};

use axum::{
    body::Body,
    extract::{Request, State},
    http::{
        HeaderMap, HeaderValue, StatusCode, Uri,
        header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::time::Instant;

use super::{
    Gate, Load,
    notify::{self, Accepted, BODY_BYTES_MAX, Form},
};
use crate::{
    net::BodyTooSlow,
    web::{AddressBuckets, ApiKeys, ClientAddress, Problem, has_key_in_url, presented_key},
};

/// Everything the notify routes need.
#[derive(Debug)]
pub struct NotifyDoor {
    /// Where events go.
    pub gate: Arc<Gate>,
    /// Who may send them.
    pub keys: ApiKeys,
    /// Who guesses keys.
    pub failures: AddressBuckets,
    /// How much is being taken in.
    pub load: Load,
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
        let client = request.extensions().get::<ClientAddress>().copied();
        self.authorize(request.headers(), request.uri(), client, arrived)?;
        self.gate.check_open().await?;
        check_media(request.headers())?;
        let (head, body) = request.into_parts();
        // Held until the answer: what waits for the log counts as well.
        let told = told_bytes(&head.headers).unwrap_or(BODY_BYTES_MAX);
        let _here = self.load.enter(told.min(BODY_BYTES_MAX)).await?;
        let body = read_body(&head.headers, body).await?;
        let _turn = self.load.begin(body.len()).await?;
        let key = head.headers.get("idempotency-key").map(HeaderValue::as_bytes);
        let append = notify::parse(&body, form, key, self.gate.clock().now())?;
        let appended = self.gate.accept(append, arrived).await?;
        let answer = serde_json::to_vec(&Accepted::from(appended)).unwrap_or_default();
        let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")];
        Ok((StatusCode::ACCEPTED, headers, answer).into_response())
    }

    /// A good key always passes; only wrong ones are counted, so nobody can lock a publisher out.
    fn authorize(
        &self,
        headers: &HeaderMap,
        uri: &Uri,
        client: Option<ClientAddress>,
        now: Instant,
    ) -> Result<(), Problem> {
        let key = presented_key(headers);
        if key.is_some_and(|key| self.keys.accept(key)) {
            return Ok(());
        }
        let in_url = key.is_none() && has_key_in_url(uri);
        let refusal = || if in_url { Problem::key_in_url() } else { Problem::unauthorized() };
        let tries = client.map_or(Ok(()), |client| self.failures.take(client.network(), now));
        Err(tries.map_or_else(Problem::rate_limited, |()| refusal()))
    }
}

fn told_bytes(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
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
    if told_bytes(headers).is_some_and(|told| told > BODY_BYTES_MAX) {
        return Err(Problem::body_too_large(BODY_BYTES_MAX));
    }
    match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if is_caused_by::<LengthLimitError>(&*error) => {
            Err(Problem::body_too_large(BODY_BYTES_MAX))
        }
        Err(error) if is_caused_by::<BodyTooSlow>(&*error) => Err(Problem::body_timeout()),
        // The connection broke on the way, so nobody reads this answer.
        Err(_) => Err(Problem::malformed_json(1, 1, "the body ended early")),
    }
}

fn is_caused_by<E: Error + 'static>(error: &(dyn Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| (*error).source()).any(|error| error.is::<E>())
}
