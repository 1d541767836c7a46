//! Ingest: everything that comes in goes through one gate, and 202 is answered only when the log has it.
//!
//! It never waits for a subscriber and knows none. Next: [`eventlog`](crate::eventlog).

pub mod http;
pub mod notify;

use std::{sync::Arc, time::Duration};

use tokio::{sync::RwLock, time::Instant};

use crate::{
    clock::Clock,
    eventlog::{Append, AppendError, Appended, EventLog},
    telemetry::Metrics,
    web::Problem,
};

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
    pub async fn check_open(&self) -> Result<(), Problem> {
        Self::open(*self.closed.read().await)
    }

    fn open(closed: bool) -> Result<(), Problem> {
        if closed { Err(Problem::draining(Self::DRAINING_RETRY)) } else { Ok(()) }
    }

    /// Appends. `arrived`: when the request did.
    pub async fn accept(&self, append: Append, arrived: Instant) -> Result<Appended, Problem> {
        let closed = self.closed.read().await;
        Self::open(*closed)?;
        let appended = self.log.append(append).await.map_err(|error| match error {
            AppendError::KeyReused => Problem::idempotency_key_reused(),
            // Only what comes over a channel is fenced, and that does not come through here.
            AppendError::Fenced => Problem::log_unavailable(Self::DRAINING_RETRY),
            AppendError::Overloaded { retry_after } => Problem::overloaded(retry_after),
            AppendError::Unavailable { retry_after } => Problem::log_unavailable(retry_after),
        })?;
        self.metrics.accept_to_append.record(arrived.elapsed().as_secs_f64());
        let (accepted, duplicates) = (appended.accepted as u64, appended.duplicates as u64);
        self.metrics.accepted.increment(accepted + duplicates);
        self.metrics.appended.increment(if appended.repeated { 0 } else { accepted });
        self.metrics.duplicates.increment(if appended.repeated { accepted + duplicates } else { duplicates });
        Ok(appended)
    }
}
