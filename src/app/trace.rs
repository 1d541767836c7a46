//! What became of a product's last events, as far as this pod knows: what its index holds of them, and whom it told. For the
//! private port and `shelfcast trace`. Reads; changes nothing.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
};
use serde::{Deserialize, Serialize};

use crate::{
    fanout::{Flush, Hub},
    model::{Entry, Position, ProductId},
    telemetry::Transport,
    web::Problem,
};

/// Events told at most, and batches.
const NEWEST: usize = 50;

/// The answer of `GET /trace/{productId}`. The command line reads it too.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TraceReport {
    /// Whose events.
    pub product_id: String,
    /// Which pod tells this.
    pub pod: String,
    /// How far it has read the log.
    pub applied: String,
    /// Up to where everything has left its windows.
    pub covered: String,
    /// What stands at or before this is forgotten here.
    pub floor: String,
    /// Connections here that track the product now.
    pub viewers: usize,
    /// The newest events that left their windows, oldest first.
    pub events: Vec<TracedEvent>,
    /// The newest batches that somebody here was told, oldest first.
    pub batches: Vec<TracedBatch>,
}

/// One event.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TracedEvent {
    /// Where it stands in the log.
    pub cursor: String,
    /// What kind of change.
    #[serde(rename = "type")]
    pub event_type: String,
    /// When it happened, by the publisher's clock.
    pub timestamp: String,
    /// When the log took it.
    pub accepted_at: String,
    /// By which way: `key:2`, `webhook:shopify`, `channel:product.updated`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Which pod took it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// The request that brought it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The trace it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
}

/// One batch, and whom this pod told.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TracedBatch {
    /// The position of its newest event.
    pub cursor: String,
    /// The `n` of its oldest.
    pub first_n: u64,
    /// How many events were merged.
    pub events: usize,
    /// When the log took the oldest.
    pub opened_at: String,
    /// When it left its window here.
    pub left_at: String,
    /// The time between, in milliseconds.
    pub waited_ms: i64,
    /// Viewers told over Socket.IO.
    pub socketio: u32,
    /// Viewers told over SSE.
    pub sse: u32,
    /// Viewers that read too slowly, and are told to refetch instead.
    pub slow: u32,
    /// Viewers that were owed the word to refetch already.
    pub owed: u32,
    /// Viewers that were found to be gone.
    pub gone: u32,
}

/// What it is looked up in.
#[derive(Clone)]
pub(super) struct Tracer {
    pub(super) hub: Arc<Hub>,
    pub(super) pod: Arc<str>,
}

/// `GET /trace/{productId}`.
pub(super) async fn trace(
    State(tracer): State<Tracer>,
    Path(product_id): Path<String>,
) -> Result<Json<TraceReport>, Problem> {
    let product_id = ProductId::new(&product_id)
        .map_err(|error| Problem::invalid_product_id("productId", error.to_string()))?;
    Ok(Json(look_up(&tracer.hub, &tracer.pod, &product_id)))
}

fn look_up(hub: &Hub, pod: &str, product_id: &ProductId) -> TraceReport {
    let progress = hub.index().progress();
    TraceReport {
        product_id: product_id.as_str().to_owned(),
        pod: pod.to_owned(),
        applied: progress.epoch.at(progress.applied_n).to_string(),
        covered: progress.covered().to_string(),
        floor: progress.floor().to_string(),
        viewers: hub.viewers(product_id),
        events: hub
            .index()
            .newest_entries(product_id, NEWEST)
            .iter()
            .map(|entry| TracedEvent::of(entry))
            .collect(),
        batches: hub
            .flushes()
            .of(product_id, NEWEST)
            .iter()
            .filter(|flush| is_of(flush, progress.covered()))
            .map(TracedBatch::of)
            .collect(),
    }
}

/// A position of an earlier epoch compares with nothing that is told here.
fn is_of(flush: &Flush, now: Position) -> bool {
    flush.cursor.epoch == now.epoch
}

impl TracedEvent {
    fn of(entry: &Entry) -> Self {
        let origin = entry.origin.as_ref();
        Self {
            cursor: entry.at.to_string(),
            event_type: entry.event.event_type.as_str().to_owned(),
            timestamp: entry.event.timestamp.as_str().to_owned(),
            accepted_at: entry.log_time.to_string(),
            source: origin.map(|origin| origin.source().to_owned()).filter(|source| !source.is_empty()),
            pod: origin.map(|origin| origin.pod().to_owned()),
            request_id: origin.and_then(|origin| origin.request_id()).map(str::to_owned),
            trace_id: origin.and_then(|o| o.trace()).map(|trace| format!("{:032x}", trace.trace_id)),
        }
    }
}

impl TracedBatch {
    fn of(flush: &Flush) -> Self {
        let told = flush.told;
        Self {
            cursor: flush.cursor.to_string(),
            first_n: flush.first_n,
            events: flush.events,
            opened_at: flush.opened.to_string(),
            left_at: flush.left.to_string(),
            waited_ms: (flush.left.micros() - flush.opened.micros()) / 1_000,
            socketio: told.sent[Transport::SocketIo as usize],
            sse: told.sent[Transport::Sse as usize],
            slow: told.slow,
            owed: told.owed,
            gone: told.gone,
        }
    }
}
