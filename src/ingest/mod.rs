//! Ingest: everything that comes in goes through one gate, and 202 is answered only when the log has it.
//!
//! It never waits for a subscriber and knows none. Next: [`eventlog`](crate::eventlog).

mod body;
pub mod channels;
pub mod http;
mod load;
pub mod notify;
mod sales;
pub mod webhooks;

use std::{sync::Arc, time::Duration};

use tokio::{sync::RwLock, time::Instant};

pub use self::{load::Load, sales::SaleTimer};
use crate::{
    clock::Clock,
    eventlog::{
        Append, AppendError, Appended, EventLog, Head, InputGap, LeaseToken, LogError,
        snapshots::{Fired, Observed, Sightings},
    },
    model::{LogTime, Position},
    telemetry::{Attribute, Context, Metrics},
    web::Problem,
};

/// Why the gate took nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// This process is about to end; another one takes it.
    #[error("this process is about to end")]
    Draining,
    /// The log took nothing.
    #[error(transparent)]
    Log(#[from] AppendError),
}

/// The gate: the only way into the log.
#[derive(Debug)]
pub struct Gate {
    log: Arc<dyn EventLog>,
    clock: Clock,
    metrics: Arc<Metrics>,
    /// True once it is closed. Held for reading during each append, so that closing waits for those under way.
    closed: RwLock<bool>,
}

impl Gate {
    /// What a publisher is told to wait before it tries another pod.
    const DRAINING_RETRY: Duration = Duration::from_secs(1);

    /// A gate to `log`.
    pub fn new(log: Arc<dyn EventLog>, clock: Clock, metrics: Arc<Metrics>) -> Self {
        Self { log, clock, metrics, closed: RwLock::new(false) }
    }

    /// Wall time, for events that bring none.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Refuses everything from here on, because this process is about to end. When this returns, every append that
    /// was or will be answered 202 is in the log.
    pub async fn close(&self) {
        *self.closed.write().await = true;
    }

    /// Whether it still takes anything; saves reading a body in vain.
    pub async fn check_open(&self) -> Result<(), Refused> {
        if *self.closed.read().await { Err(Refused::Draining) } else { Ok(()) }
    }

    /// Appends for a request. `arrived`: when it did.
    pub async fn accept(&self, append: Append, arrived: Instant) -> Result<Appended, Problem> {
        let appended = self.append(append).await?;
        self.metrics.accept_to_append.record(arrived.elapsed().as_secs_f64());
        Ok(appended)
    }

    /// Appends.
    pub async fn append(&self, append: Append) -> Result<Appended, Refused> {
        let closed = self.closed.read().await;
        if *closed {
            return Err(Refused::Draining);
        }
        let begun = self.begun();
        let appended = self.log.append(append).await?;
        self.count(&appended, begun);
        Ok(appended)
    }

    /// Appends what changed about products, compared with what was seen of them last.
    pub async fn observe(&self, sightings: Sightings) -> Result<Observed, Refused> {
        let closed = self.closed.read().await;
        if *closed {
            return Err(Refused::Draining);
        }
        let begun = self.begun();
        let observed = self.log.observe(sightings).await?;
        self.count(&observed.appended, begun);
        let tally = observed.tally;
        for (outcome, count) in
            [("changed", tally.changed), ("unchanged", tally.unchanged), ("outdated", tally.outdated)]
        {
            self.metrics.sightings.of(outcome).increment(count as u64);
        }
        Ok(observed)
    }

    /// Appends what the begins and ends of sales say that have come. `lease`: under which, where pods share the log.
    async fn fire_sales(&self, lease: Option<LeaseToken>) -> Result<Fired, Refused> {
        let closed = self.closed.read().await;
        if *closed {
            return Err(Refused::Draining);
        }
        let fired = self.log.fire_sales(lease).await?;
        self.metrics.sale_boundaries_fired.increment(fired.fired as u64);
        self.metrics.appended.increment(fired.told as u64);
        Ok(fired)
    }

    /// When an append begins, if somebody wants to know.
    fn begun(&self) -> Option<LogTime> {
        Context::is_recorded().then(|| self.clock.now())
    }

    fn count(&self, appended: &Appended, begun: Option<LogTime>) {
        let (accepted, duplicates) = (appended.accepted as u64, appended.duplicates as u64);
        if let Some(begun) = begun {
            let counts =
                [("accepted", Attribute::Count(accepted)), ("duplicates", Attribute::Count(duplicates))];
            Context::record("ingest", begun, self.clock.now(), &counts);
        }
        tracing::debug!(accepted, duplicates, cursor = %appended.cursor, "events were accepted");
        self.metrics.accepted.increment(accepted + duplicates);
        self.metrics.appended.increment(if appended.repeated { 0 } else { accepted });
        self.metrics.duplicates.increment(if appended.repeated { accepted + duplicates } else { duplicates });
    }

    /// Notes that an input lost something.
    pub async fn append_gap(&self, gap: InputGap) -> Result<Position, Refused> {
        let closed = self.closed.read().await;
        if *closed {
            return Err(Refused::Draining);
        }
        Ok(self.log.append_gap(gap).await?)
    }

    /// Where the log stands.
    pub async fn head(&self) -> Result<Head, LogError> {
        self.log.head().await
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Draining => Self::draining(Gate::DRAINING_RETRY),
            Refused::Log(AppendError::KeyReused) => Self::idempotency_key_reused(),
            Refused::Log(AppendError::Overloaded { retry_after }) => Self::overloaded(retry_after),
            Refused::Log(AppendError::Unavailable { retry_after }) => Self::log_unavailable(retry_after),
            // Only what comes over a channel is fenced, and that is no request.
            Refused::Log(AppendError::Fenced) => Self::log_unavailable(Gate::DRAINING_RETRY),
        }
    }
}
