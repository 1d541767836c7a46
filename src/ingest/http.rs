//! The HTTP side of notify: keys, media type, size. What the body says is [`mod@notify`]'s.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{
        HeaderMap, HeaderValue, StatusCode, Uri,
        header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
};
use tokio::time::Instant;

use super::{
    Gate, Load,
    body::{read_body, told_bytes},
    notify::{self, Accepted, BODY_BYTES_MAX, Form},
};
use crate::{
    eventlog::Appended,
    telemetry::{Context, Way},
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
        let key_number = self.authorize(request.headers(), request.uri(), client, arrived)?;
        self.gate.check_open().await?;
        check_media(request.headers())?;
        let (head, body) = request.into_parts();
        // Held until the answer: what waits for the log counts as well.
        let told = told_bytes(&head.headers).unwrap_or(BODY_BYTES_MAX);
        let _here = self.load.enter(told.min(BODY_BYTES_MAX)).await?;
        let body = read_body(&head.headers, body, BODY_BYTES_MAX).await?;
        let _turn = self.load.begin(body.len()).await?;
        let key = head.headers.get("idempotency-key").map(HeaderValue::as_bytes);
        let append = notify::parse(&body, form, key, self.gate.clock().now())?;
        Ok(accepted(Context::via(Way::Key(key_number), self.gate.accept(append, arrived)).await?))
    }

    /// Which key it is. A good key always passes; only wrong ones are counted, so nobody can lock a publisher out.
    fn authorize(
        &self,
        headers: &HeaderMap,
        uri: &Uri,
        client: Option<ClientAddress>,
        now: Instant,
    ) -> Result<usize, Problem> {
        let key = presented_key(headers);
        if let Some(number) = key.and_then(|key| self.keys.which(key)) {
            return Ok(number);
        }
        let in_url = key.is_none() && has_key_in_url(uri);
        let refusal = || if in_url { Problem::key_in_url() } else { Problem::unauthorized() };
        let tries = client.map_or(Ok(()), |client| self.failures.take(client.network(), now));
        Err(tries.map_or_else(Problem::rate_limited, |()| refusal()))
    }
}

/// The 202 answer.
pub(super) fn accepted(appended: Appended) -> Response {
    let answer = serde_json::to_vec(&Accepted::from(appended)).unwrap_or_default();
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")];
    (StatusCode::ACCEPTED, headers, answer).into_response()
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
