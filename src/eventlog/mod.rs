//! The log: the one place that gives positions, and the only thing that must not lose an event.
//!
//! It does not batch, route or know who listens. Next: [`batch`](crate::batch) and [`index`](crate::index) tail it.

mod claims;
mod memory;
pub mod redis;
pub mod snapshots;

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;

pub use claims::{BodyDigest, ClaimKey};
pub use memory::{MemoryLog, MemoryLogConfig};

use self::snapshots::{Fired, Observed, Sightings};
use crate::model::{Entry, Event, LogTime, MessageDigest, Position, ProductId};

/// A numbered log of accepted events.
///
/// Every implementation passes the suite in `tests/it/log_contract.rs`. The contract:
///
/// - **Dense.** The first event of an epoch has `n` = 1, and each next one exactly one more, whoever appends it.
/// - **Atomic.** One [`append`](Self::append) takes all its events, in their order and with no other event between
///   them, or none. On `Err` none was taken, except where the error says that this is unknown.
/// - **Durable first.** `append` returns only when the events are in the log: a tail will yield them.
/// - **In time.** Where reading costs a way to a server, an append that can be refused waits while this process is far behind in
///   reading, and is refused if that takes long: what is accepted is told soon after.
/// - **Log time.** Each entry has its own microsecond, and never an earlier one than the entry before it.
/// - **Claims.** An event or request whose claim is known is not appended again; the first answer is returned.
///   A claim is only ever visible together with the events it stands for.
/// - **Snapshots.** What was seen of a product changes in one step with the entries that tell of it: a failed append
///   leaves it as it was, and every pod compares with the same one. What was seen in another epoch is void, and what was
///   seen before somebody else spoke of the product, or a gap that may be about it: clients may know of something newer.
/// - **Epochs.** If history is lost the log starts a new epoch and never continues an old one. A tail says so.
#[async_trait]
pub trait EventLog: fmt::Debug + Send + Sync + 'static {
    /// Takes events. May be dropped at any await: then it is unknown whether the events were taken.
    async fn append(&self, append: Append) -> Result<Appended, AppendError>;

    /// Notes in the log that an input lost something, so that every pod tells its clients, and those who come back
    /// later are told too. May be dropped at any await, as [`append`](Self::append) may.
    async fn append_gap(&self, gap: InputGap) -> Result<Position, AppendError>;

    /// Compares products as their shop shows them with what was seen of them last, appends what changed, and keeps what they
    /// look like now. May be dropped at any await, as [`append`](Self::append) may.
    async fn observe(&self, sightings: Sightings) -> Result<Observed, AppendError>;

    /// Appends what the sale boundaries say that have come, the first ones if there are many, each of them once. `lease`:
    /// under which this is done, where pods share the log. May be dropped at any await.
    async fn fire_sales(&self, lease: Option<LeaseToken>) -> Result<Fired, AppendError>;

    /// Where the log stands now. Cancel safe.
    async fn head(&self) -> Result<Head, LogError>;

    /// Follows the log from just behind `after`. If that is of another epoch, [`Tailed::NewEpoch`] comes first. One tail at a
    /// time: it is the one that appends wait for.
    fn tail(&self, after: Position) -> Box<dyn Tail>;
}

/// A reader that follows the log. One task owns it.
#[async_trait]
pub trait Tail: fmt::Debug + Send {
    /// Waits for what comes next. Cancel safe: what it has not returned it returns at the next call.
    ///
    /// Entries come in the order of `n` without a hole; where the log cannot prove that, it yields
    /// [`Tailed::Gap`] or [`Tailed::NewEpoch`] in place of the hole and goes on behind it.
    async fn next(&mut self) -> Result<Tailed, LogError>;
}

/// What a tail yields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tailed {
    /// The next entries, at least one.
    Entries(Vec<Arc<Entry>>),
    /// The log no longer has what came before and at this position; reading goes on behind it.
    Gap {
        /// The last missing position.
        to: Position,
    },
    /// An entry which says that an input lost something before it. It has a position as every entry has.
    InputGap {
        /// Where it stands.
        at: Position,
        /// Of which products; empty: nobody knows, so of any.
        product_ids: Vec<ProductId>,
    },
    /// History changed: all positions known so far are void; reading goes on at the start of the new epoch.
    NewEpoch(Head),
}

impl Tailed {
    /// The last position that this is about.
    pub fn end(&self) -> Option<Position> {
        match self {
            Self::Entries(entries) => entries.last().map(|e| e.at),
            Self::Gap { to } => Some(*to),
            Self::InputGap { at, .. } => Some(*at),
            Self::NewEpoch(head) => Some(head.position.epoch.at(0)),
        }
    }
}

/// Where a log stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The newest position; `epoch.0` if the epoch has no event yet.
    pub position: Position,
    /// The time that an event appended now would at least get.
    pub log_time: LogTime,
}

/// One request to append.
#[derive(Debug)]
pub struct Append {
    /// The publisher's claim on the whole request (`Idempotency-Key`). It decides before the events' own claims.
    pub request: Option<RequestClaim>,
    /// At least one event, and at most 65,535.
    pub events: Vec<NewEvent>,
    /// The message that brought them, if they came over a Redis channel.
    pub message: Option<Message>,
}

/// A message from a Redis channel or stream, as far as the log must know.
#[derive(Debug, Clone, Copy)]
pub struct Message {
    /// The lease under which it is appended: if it is no longer held, nothing is.
    pub lease: LeaseToken,
    /// It was heard, by every pod, on a channel.
    pub heard: Option<HeardOnce>,
    /// It came from the channel that other events are mirrored to, so it is not sent there again.
    pub from_mirror: bool,
}

/// A message that has no name of its own.
#[derive(Debug, Clone, Copy)]
pub struct HeardOnce {
    /// The holder of a lease counts what it appends, one after the other. What was appended under a number is not
    /// appended under it again, so that a holder may try again when it does not know what became of it.
    pub number: u64,
    /// Carried by the first entry, so that the pods that heard it too can strike it out.
    pub digest: Option<MessageDigest>,
}

/// Names one holding of the lease on the input channels; no two share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseToken(pub u64);

/// An input lost something.
#[derive(Debug, Clone)]
pub struct InputGap {
    /// Of which products; empty: nobody knows, so of any.
    pub product_ids: Vec<ProductId>,
    /// The lease under which this is said, where one is needed to say it.
    pub lease: Option<LeaseToken>,
}

/// An event on its way in.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// What happened.
    pub event: Event,
    /// The publisher's claim on this one event (`eventId`).
    pub claim: Option<ClaimKey>,
}

/// A claim on a request: which key, and for which body.
#[derive(Debug, Clone, Copy)]
pub struct RequestClaim {
    /// The key's digest.
    pub key: ClaimKey,
    /// The body's digest: the same key with another body is refused.
    pub body: BodyDigest,
}

/// What came of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Events appended by the request.
    pub accepted: usize,
    /// Events whose claim was known.
    pub duplicates: usize,
    /// Where the last event of the request stands, be it appended now or before.
    pub cursor: Position,
    /// The request's own claim was known: nothing was appended now, the figures are those of the first answer.
    pub repeated: bool,
}

/// Why nothing was appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The publisher's fault: the key was used for another body. Retrying will not help.
    #[error("this idempotency key was used for another request body")]
    KeyReused,
    /// The lease is not held any more: another pod appends what this one heard.
    #[error("the lease is no longer held")]
    Fenced,
    /// Too many appends at once, or more was appended than is read. Retry with the same key.
    #[error("the log is given more than it takes in")]
    Overloaded {
        /// When to try again.
        retry_after: Duration,
    },
    /// The log cannot be reached, or did not answer in time: *unknown* whether it was taken. Retry with the same key.
    #[error("the log is not available")]
    Unavailable {
        /// When to try again.
        retry_after: Duration,
    },
}

/// The log cannot be read now; the reader tries again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the log is not available")]
pub struct LogError;
