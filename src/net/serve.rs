//! [`serve`]: HTTP on guarded connections. Knows no route: [`Answers`] does.
//!
//! axum's own loop sets no limit on heads and has no way to end one connection, so this is ours, on hyper.

use std::{error::Error, future::Future, pin::Pin, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{Request, StatusCode},
    response::Response,
};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::{
    Connection, Detach, Guarded, GuardedListener,
    body::{InService, Timed, Tracked},
    detached::Detaching,
};
use crate::tasks::Tasks;

/// Bytes of a request's head: a URL of 16 KiB (SSE names its products there) and as much of headers.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// Headers of a request; a browser behind three proxies sends about 30.
const HEADERS_MAX: usize = 64;
/// Requests at a time on one HTTP/2 connection; nginx's and Envoy's default is 128 and 100.
const STREAMS_MAX: u32 = 128;
/// How often an HTTP/2 peer is asked whether it lives, and how long it may take to say so.
const PING_EVERY: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// How serving ends, in two steps.
#[derive(Debug, Clone, Default)]
pub struct Stops {
    /// No new connection is accepted; those that are there are served on.
    pub accept: CancellationToken,
    /// No connection is kept for a next request.
    pub keep: CancellationToken,
}

/// An answer on its way. Boxed, so that a connection that waits for its next request has no room for it.
pub type Answering = Pin<Box<dyn Future<Output = Response> + Send>>;

/// Who answers requests. Cheap to clone: every connection has one.
pub trait Answers: Clone + Send + Sync + 'static {
    /// Answers a request that came over this connection.
    fn answer(&self, request: Request<Timed>, connection: Connection) -> Answering;
}

impl Answers for Router {
    fn answer(&self, request: Request<Timed>, connection: Connection) -> Answering {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(connection));
        let answering = self.clone().oneshot(request);
        Box::pin(async { answering.await.unwrap_or_else(|never| match never {}) })
    }
}

/// Serves until it is stopped, and returns when every connection has ended. Dropped, it keeps none for a next request.
pub async fn serve(mut listener: GuardedListener, answers: impl Answers, stops: Stops) {
    let tasks = Tasks::new();
    let _dropped = stops.keep.clone().drop_guard();
    let take = |stream| tasks.spawn(serve_one(stream, answers.clone(), stops.keep.clone()));
    loop {
        tokio::select! {
            stream = listener.accept() => take(stream),
            () = stops.accept.cancelled() => break,
        }
    }
    listener.close(take).await;
    tasks.stop();
    tasks.ended().await;
}

async fn serve_one(stream: Guarded, answers: impl Answers, stop: CancellationToken) {
    let (connection, held) = (stream.connection().clone(), stream.held());
    // Of its own, so that a connection that goes on without it does not keep the room for it.
    let served = Box::pin(serve_http(stream, answers, stop)).await;
    let Err(error) = served else { return };
    match Detaching::find(error.as_ref()) {
        Some(detached) => {
            drop(error);
            detached.go_on(connection, held).await;
        }
        // Nearly always the other end, which went or spoke nonsense.
        None => tracing::debug!(error, "a connection ended early"),
    }
}

async fn serve_http(
    stream: Guarded,
    answers: impl Answers,
    stop: CancellationToken,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let connection = stream.connection().clone();
    let service = service_fn(move |request| answer(request, &connection, &answers));
    let builder = protocols();
    let serving = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    let mut serving = std::pin::pin!(serving);
    tokio::select! {
        served = serving.as_mut() => served,
        () = stop.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    }
}

fn protocols() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        // The deadline for heads is ours: hyper's counts the rest between two requests as well.
        .header_read_timeout(None)
        // Answers are small: to copy head and body into one place costs less than to write them from two.
        .writev(false)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_TIMEOUT)
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEAD_BYTES_MAX as u32);
    builder
}

fn answer<A: Answers>(
    request: Request<Incoming>,
    connection: &Connection,
    answers: &A,
) -> impl Future<Output = Result<Response<Tracked>, Detaching>> + use<A> {
    let in_service = InService::new(connection.clone(), request.version());
    let answering = answers.answer(request.map(Timed::new), connection.clone());
    let connection = connection.clone();
    async move {
        let mut response = answering.await;
        if let Some(detach) = response.extensions_mut().remove::<Detach>() {
            return Err(Detaching::new(detach, response, in_service, &connection));
        }
        let upgraded = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        let in_service = if upgraded { in_service.for_good() } else { in_service };
        Ok(response.map(|body| Tracked { body, _in_service: in_service }))
    }
}
