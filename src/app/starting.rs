//! What is answered while a gateway waits for its log: that it lives, and that it is not ready. Takes nothing in.

use std::{convert::Infallible, io, time::Duration};

use axum::{
    Json, Router,
    http::{
        HeaderValue,
        header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE},
    },
    middleware::map_response,
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::json;
use tokio::net::TcpListener;

use crate::web::Problem;

/// When those who are sent away are to come again.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// Answers until it is dropped.
pub async fn answer_while_starting(listener: TcpListener) -> io::Result<Infallible> {
    let report = json!({"status": "degraded", "service": "websocket-gateway", "connections": 0,
        "rooms": {"totalRooms": 0, "totalSubscribers": 0}, "batching": {"pendingBatches": 0}});
    let router = Router::new()
        .route("/health", get(async move || Json(report)))
        .route("/health/live", get(async || "ok"))
        .route("/api/events", get(come_again))
        .fallback(async || Problem::log_unavailable(RETRY_AFTER))
        .layer(map_response(last_answer));
    match axum::serve(listener, router).await {
        Ok(()) => Err(io::Error::other("serving ended by itself")),
        Err(error) => Err(error),
    }
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
