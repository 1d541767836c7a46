//! The HTTP side of notify: keys, media type, size. What the body says is [`mod@notify`]'s.

use std::sync::Arc;

use axum::{
    BoxError,
    extract::{Request, State},
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode, Uri,
        header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE},
        request::Parts,
    },
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http_body::Body;
use tokio::time::Instant;

use super::{
    Gate, Load,
    body::{read_body, told_bytes},
    notify::{self, BODY_BYTES_MAX, Form},
};
use crate::{
    eventlog::Appended,
    telemetry::{Context, Way},
    web::{AddressBuckets, ApiKeys, ClientAddress, Problem, has_key_in_url, presented_key},
};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

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
pub async fn notify(State(door): State<Arc<NotifyDoor>>, request: Request) -> Response {
    door.answer_routed(request, Form::Any).await
}

/// `POST /api/notify/batch`.
pub async fn notify_batch(State(door): State<Arc<NotifyDoor>>, request: Request) -> Response {
    door.answer_routed(request, Form::Batch).await
}

impl NotifyDoor {
    async fn answer_routed(&self, request: Request, form: Form) -> Response {
        let (head, mut body) = request.into_parts();
        self.answer(&head, &mut body, form, head.extensions.get().copied()).await
    }

    /// Answers a publisher. `client`: who sent it, where that is known.
    pub async fn answer<B>(
        &self,
        head: &Parts,
        body: &mut B,
        form: Form,
        client: Option<ClientAddress>,
    ) -> Response
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
    {
        match self.serve(head, body, form, client).await {
            Ok(appended) => accepted(appended),
            Err(problem) => problem.into_response(),
        }
    }

    async fn serve<B>(
        &self,
        head: &Parts,
        body: &mut B,
        form: Form,
        client: Option<ClientAddress>,
    ) -> Result<Appended, Problem>
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
    {
        let arrived = Instant::now();
        let key_number = self.authorize(&head.headers, &head.uri, client, arrived)?;
        Context::came_by(Way::Key(key_number));
        self.gate.check_open().await?;
        check_media(&head.headers)?;
        // Held until the answer: what waits for the log counts as well.
        let told = told_bytes(&head.headers).unwrap_or(BODY_BYTES_MAX);
        let _here = self.load.enter(told.min(BODY_BYTES_MAX)).await?;
        let body = read_body(&head.headers, body, BODY_BYTES_MAX).await?;
        let _turn = self.load.begin(body.len()).await?;
        let key = head.headers.get(&IDEMPOTENCY_KEY).map(HeaderValue::as_bytes);
        let append = notify::parse(&body, form, key, self.gate.clock().now())?;
        self.gate.accept(append, arrived).await
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
    let mut response = Response::new(notify::accepted(appended).into());
    *response.status_mut() = StatusCode::ACCEPTED;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn is_json(media: &str) -> bool {
    if media == "application/json" {
        return true;
    }
    let essence = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

fn check_media(headers: &HeaderMap) -> Result<(), Problem> {
    if !is_json(headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default()) {
        return Err(Problem::unsupported_media_type());
    }
    match headers.get(CONTENT_ENCODING) {
        Some(encoding) if encoding.as_bytes() != b"identity" => Err(Problem::unsupported_encoding()),
        _ => Ok(()),
    }
}
