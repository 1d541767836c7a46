//! [`Lane`]: the seam between the hub and a transport. The hub hands over by name and gets an answer for each.
//!
//! A faster way to the socket replaces what lies behind this trait and nothing in front of it.

use std::{fmt, sync::OnceLock};

use bytes::Bytes;
use serde::Serialize;
use tokio::time::Instant;

use crate::{
    index::ResyncReason,
    model::{Frame, Position, ProductId},
    net::Sent,
    telemetry::Transport,
};

/// One connection's way out. Every call returns at once: what cannot be queued now is not queued.
pub trait Lane: fmt::Debug + Send + Sync + 'static {
    /// Which transport, for the metrics.
    fn transport(&self) -> Transport;

    /// Queues a frame. `complete`: the connection has everything up to the frame's covered position, so the lane may
    /// tell that position (SSE `id:`).
    fn frame(&self, parcel: &Parcel, complete: bool) -> Delivery;

    /// Queues the word to refetch. Only for announced clients. `complete`: as for a frame, once this is queued.
    fn resync(&self, resync: &Resync, complete: bool) -> Delivery;

    /// Queues the regular word of where the connection stands; `None`: that cannot be told now, keep it alive only.
    fn beat(&self, beat: Option<&PositionBeat>) -> Delivery;

    /// Whether what was queued has left, as far as that can be known.
    fn is_flushed(&self) -> bool;

    /// Ends the connection after what was queued. The client comes back by itself.
    fn close(&self);

    /// Ends the connection at once, also one whose client reads nothing.
    fn cut(&self);

    /// The other end is known to be gone.
    fn is_gone(&self) -> bool;
}

/// What came of a hand-over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Delivery {
    /// Queued, in order.
    Sent,
    /// The connection's queue is full: nothing was queued.
    Full,
    /// The connection is no more.
    Gone,
}

impl From<Sent> for Delivery {
    fn from(sent: Sent) -> Self {
        match sent {
            Sent::Taken => Self::Sent,
            Sent::Full => Self::Full,
            Sent::Gone => Self::Gone,
        }
    }
}

/// A frame on its way to many, with the forms that transports share among their connections.
#[derive(Debug)]
pub struct Parcel {
    /// What is carried.
    pub frame: Frame,
    /// When it left its window.
    pub flushed: Instant,
    sse: OnceLock<Bytes>,
    websocket: OnceLock<Bytes>,
}

impl Parcel {
    /// Takes a frame at the moment it leaves.
    pub fn new(frame: Frame) -> Self {
        Self { frame, flushed: Instant::now(), sse: OnceLock::new(), websocket: OnceLock::new() }
    }

    /// The chunk of SSE with its `id:`, made by the first who asks.
    pub(super) fn sse(&self, make: impl FnOnce() -> Bytes) -> Bytes {
        self.sse.get_or_init(make).clone()
    }

    /// The WebSocket frame around its JSON, made by the first who asks.
    pub(super) fn websocket(&self, make: impl FnOnce(&str) -> Bytes) -> &Bytes {
        self.websocket.get_or_init(|| make(self.frame.json().get()))
    }
}

/// The word to refetch, as announced clients get it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Resync {
    /// Why.
    #[serde(serialize_with = "reason")]
    pub reason: ResyncReason,
    /// What; `None`: everything the client tracks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product_ids: Option<Vec<ProductId>>,
    /// The covered position once the client has refetched.
    pub cursor: Position,
    /// Clients spread their refetches over this time.
    pub spread_ms: u64,
}

fn reason<S: serde::Serializer>(reason: &ResyncReason, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(reason.as_str())
}

/// Where a connection stands.
#[derive(Debug, Serialize)]
pub struct PositionBeat {
    /// The covered position.
    pub cursor: Position,
    /// Joined products that changed since the last beat, with their newest position.
    #[serde(serialize_with = "as_map")]
    pub products: Vec<(ProductId, Position)>,
}

fn as_map<S: serde::Serializer>(pairs: &[(ProductId, Position)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().map(|(k, v)| (k, v)))
}
