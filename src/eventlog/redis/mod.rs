//! The log on Redis, shared by every pod: any of them appends, all of them tail.
//!
//! [`SharedLog`] is the log on whatever [`Store`]; [`History`](history) judges what a store tells, and is where a lost
//! tail, a fork, a trimmed or deleted log is found out. It does not batch, and does not know how many pods there are.

mod acked;
mod answers;
mod appends;
mod breaker;
mod commands;
mod config;
mod history;
mod lag;
mod line;
mod observe;
mod reader;
mod seen;
mod server;
mod store;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout, timeout_at},
};

pub use self::config::{Durability, RedisLogConfig};
pub use self::seen::{BoundaryWrite, Due, DueBoundary, SeenWrites, SnapshotStore, SnapshotWrite, Stands};
pub use self::server::{RedisStore, Unfit};
pub use self::store::{Content, Lineage, Refusal, Standing, Store, StoreError, Stored, Taken};
use self::{acked::Acked, breaker::Breaker, lag::Lag, reader::Reader};
use super::{
    Append, AppendError, Appended, EventLog, Head, InputGap, LeaseToken, LogError, Tail,
    snapshots::{Fired, Observed, Sightings},
};
use crate::{model::Position, telemetry::Metrics};

/// A log that every pod shares. Cheap to clone; all clones are the same.
#[derive(Debug)]
pub struct SharedLog<S> {
    store: Arc<S>,
    acked: Arc<Mutex<Acked>>,
    lag: Arc<Lag>,
    breaker: Mutex<Breaker>,
    in_flight: Semaphore,
    metrics: Arc<Metrics>,
}

impl<S: Store> SharedLog<S> {
    /// How long an append may take. A publisher is answered within 2.5 s, come what may.
    const APPEND_TIMEOUT: Duration = Duration::from_secs(2);
    /// How much of that an append may wait for this pod's own reader: as long as a body waits for its turn (`ingest/load.rs`),
    /// and the rest is enough for a server that answers at all.
    const LAG_WAIT_MAX: Duration = Duration::from_millis(500);
    /// How long any other question may take.
    const ASK_TIMEOUT: Duration = Duration::from_secs(2);
    /// Appends under way at once; one more is answered with `overloaded`.
    const IN_FLIGHT_MAX: usize = 1_024;

    /// The log that this store keeps.
    pub fn new(store: S, metrics: Arc<Metrics>) -> Self {
        Self {
            store: Arc::new(store),
            acked: Arc::default(),
            lag: Arc::default(),
            breaker: Mutex::default(),
            in_flight: Semaphore::new(Self::IN_FLIGHT_MAX),
            metrics,
        }
    }

    /// One append under every guard: bounded, with a deadline, and not at all while the server does not answer.
    async fn guarded(
        &self,
        turn: Turn,
        append: impl Future<Output = Result<Taken, StoreError>>,
    ) -> Result<Taken, AppendError> {
        let deadline = Instant::now() + Self::APPEND_TIMEOUT;
        let _permit = self.in_flight.try_acquire().map_err(|_| overloaded())?;
        if !self.breaker.lock().pass(Instant::now()) {
            return Err(unavailable());
        }
        if turn == Turn::BehindTheReader {
            timeout(Self::LAG_WAIT_MAX, self.lag.caught_up()).await.map_err(|_| overloaded())?;
        }
        let attempt = Attempt { log: self, begun: Instant::now(), answered: false };
        let taken = timeout_at(deadline, append).await.unwrap_or(Err(StoreError::Unknown));
        attempt.answered();
        self.note(&taken);
        match taken {
            Ok(taken) => {
                self.acked.lock().note(&taken, Instant::now());
                self.lag.note_appended(taken.appended.cursor);
                Ok(taken)
            }
            Err(StoreError::KeyReused) => Err(AppendError::KeyReused),
            Err(StoreError::Fenced) => Err(AppendError::Fenced),
            Err(StoreError::Contended | StoreError::NoRoom) => Err(overloaded()),
            Err(StoreError::Inconsistent(_) | StoreError::Refused(_) | StoreError::Unknown) => {
                Err(unavailable())
            }
        }
    }

    fn note(&self, taken: &Result<Taken, StoreError>) {
        let mut breaker = self.breaker.lock();
        match taken {
            Ok(_) | Err(StoreError::KeyReused | StoreError::Fenced | StoreError::Contended) => {
                if breaker.is_open() {
                    tracing::info!("the log takes events again");
                }
                breaker.succeeded();
            }
            // It says nothing of the server.
            Err(StoreError::NoRoom) => {}
            Err(error) => {
                let was_open = breaker.is_open();
                breaker.failed(Instant::now());
                if breaker.is_open() && !was_open {
                    tracing::warn!(%error, "the log takes no events, publishers are told to come again");
                }
                self.metrics.log_failures.of(error.as_str()).increment(1);
            }
        }
        self.metrics.log_breaker_open.set(if breaker.is_open() { 1.0 } else { 0.0 });
    }
}

/// When an append goes to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// While this pod's reader is far behind, not yet: whoever brings it can be told to come again.
    BehindTheReader,
    /// Whatever the reader does: what a channel said comes only once, a gap and a sale have to be told. They come one after
    /// the other, so they are not what a reader falls behind of.
    AtOnce,
}

/// An append under way. A publisher that gives up drops it: then what it waited for in vain is noted here, or a server
/// that does not answer would never be found out by impatient publishers.
struct Attempt<'a, S: Store> {
    log: &'a SharedLog<S>,
    begun: Instant,
    answered: bool,
}

impl<S: Store> Attempt<'_, S> {
    /// Waiting for longer than this in vain counts as a failure.
    const PATIENCE: Duration = Duration::from_millis(500);

    fn answered(mut self) {
        self.answered = true;
    }
}

impl<S: Store> Drop for Attempt<'_, S> {
    fn drop(&mut self) {
        if !self.answered && self.begun.elapsed() >= Self::PATIENCE {
            self.log.note(&Err(StoreError::Unknown));
        }
    }
}

#[async_trait]
impl<S: SnapshotStore> EventLog for SharedLog<S> {
    async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        let step = async {
            match self.store.append(&append).await {
                Err(StoreError::Inconsistent(Some(epoch))) => {
                    self.store.renew(epoch).await?;
                    self.store.append(&append).await
                }
                taken => taken,
            }
        };
        let turn = if append.message.is_some() { Turn::AtOnce } else { Turn::BehindTheReader };
        Ok(self.guarded(turn, step).await?.appended)
    }

    async fn append_gap(&self, gap: InputGap) -> Result<Position, AppendError> {
        Ok(self.guarded(Turn::AtOnce, self.store.append_gap(&gap)).await?.appended.cursor)
    }

    async fn observe(&self, sightings: Sightings) -> Result<Observed, AppendError> {
        self.observe_shown(&sightings).await
    }

    async fn fire_sales(&self, lease: Option<LeaseToken>) -> Result<Fired, AppendError> {
        self.fire_due(lease).await
    }

    async fn head(&self) -> Result<Head, LogError> {
        match timeout(Self::ASK_TIMEOUT, self.store.head()).await {
            Ok(Ok(standing)) => Ok(Head { position: standing.head, log_time: standing.log_time }),
            _ => Err(LogError),
        }
    }

    fn tail(&self, after: Position) -> Box<dyn Tail> {
        Box::new(Reader::new(Arc::clone(&self.store), Arc::clone(&self.acked), Arc::clone(&self.lag), after))
    }
}

/// When a publisher is to come again: not all at once.
fn retry_after() -> Duration {
    Duration::from_secs(rand::random_range(1..=3))
}

fn overloaded() -> AppendError {
    AppendError::Overloaded { retry_after: retry_after() }
}

fn unavailable() -> AppendError {
    AppendError::Unavailable { retry_after: retry_after() }
}
