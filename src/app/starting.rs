//! What is answered while a gateway waits for its log: that it lives, and that it is not ready. Takes nothing in.
//!
//! A start that is quick answers nothing here: who knocks meanwhile waits for the gateway itself, and is not refused.

use std::{pin::pin, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    http::{
        HeaderValue,
        header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE},
    },
    middleware::{from_fn_with_state, map_response},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::json;
use tokio::{net::TcpListener, time::sleep};
use tokio_util::sync::CancellationToken;

use super::{AppError, requests::identify};
use crate::{
    net::{Connections, Deadlines, GuardedListener, Seats, Stops, serve},
    telemetry::Metrics,
    web::Problem,
};

/// When those who are sent away are to come again.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// So long those who knock are left waiting, in the line that the kernel keeps: a gateway whose Redis is there, and whose
/// log is short, needs some hundred milliseconds, and a proxy repeats no POST that was answered 503. Less than the second
/// that a probe of Kubernetes waits for its answer.
const QUICK_START: Duration = Duration::from_millis(800);

/// For answers that are on their way when the gateway is there.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// Those who may ask at a time: the whole line, should the start take longer.
const CONNECTIONS_MAX: usize = 4_096;
/// No more than this part of the connections that the gateway itself may have: the last of those who asked are still there
/// when it is, and there may be a second port.
const SHARE: usize = 4;

/// Answers on this port until `started`, but nothing during the first 800 ms. `pod`: what this process is called.
/// `connections_max`: of the gateway that starts; a quarter of them is taken at most.
pub async fn answer_while_starting(
    listener: TcpListener,
    pod: Arc<str>,
    connections_max: usize,
    started: CancellationToken,
) -> Result<(), AppError> {
    tokio::select! {
        () = sleep(QUICK_START) => {}
        () = started.cancelled() => return Ok(()),
    }
    let report = json!({"status": "degraded", "service": "websocket-gateway", "connections": 0,
        "rooms": {"totalRooms": 0, "totalSubscribers": 0}, "batching": {"pendingBatches": 0}});
    let router = Router::new()
        .route("/health", get(async move || Json(report)))
        .route("/health/live", get(async || "ok"))
        .route("/api/events", get(come_again))
        .fallback(async || Problem::log_unavailable(RETRY_AFTER))
        .layer(map_response(last_answer))
        .layer(from_fn_with_state(pod, identify));
    // Nobody will see these figures: those of the gateway begin when it is there.
    let metrics = Arc::new(Metrics::new()?);
    let seats = Seats::new(CONNECTIONS_MAX.min(connections_max.div_ceil(SHARE)), None);
    let connections = Connections::new(seats, Arc::new(Some), Deadlines::default(), metrics);
    let watching = Arc::clone(&connections).watch(CancellationToken::new());
    let listener = GuardedListener::new(listener, Arc::clone(&connections));
    let mut serving = pin!(serve(listener, router, Stops::default()));
    tokio::select! { () = &mut serving => {}, () = watching => {}, () = started.cancelled() => {} }
    // Kept and not polled: it accepts nobody more, and who was accepted is answered still, also those not read yet.
    // Nobody looks any more whether those who only began to ask go on, and the gateway does not know of them.
    sleep(LAST_ANSWERS).await;
    connections.cut_all();
    Ok(())
}

/// An `EventSource` that gets anything but 200 never comes back.
async fn come_again() -> Response {
    let headers = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store")];
    (headers, format!("retry: {}\n\n", RETRY_AFTER.as_millis())).into_response()
}

/// Whoever asks again is to meet the gateway itself, so no connection is kept.
async fn last_answer(mut response: Response) -> Response {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
