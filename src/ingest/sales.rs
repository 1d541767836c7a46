//! [`SaleTimer`]: tells of sales when they begin and end. Shops tell of a sale when it is planned, and of its begin late or
//! never. Holds no instant itself: they stand in the log's store.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use super::{Gate, Refused};
use crate::{
    eventlog::{
        AppendError, LeaseToken,
        snapshots::{BOUNDARIES_MAX, FIRED_MAX},
    },
    telemetry::Metrics,
};

/// The timer. With Redis every pod has one, and that of the holder of the lease fires.
#[derive(Debug)]
pub struct SaleTimer {
    gate: Arc<Gate>,
    metrics: Arc<Metrics>,
    /// The store was full, and that was logged.
    was_full: bool,
}

impl SaleTimer {
    /// How often it looks: well below what a shopper notices beside the batching window.
    const EVERY: Duration = Duration::from_millis(500);

    /// A timer. It fires nothing before it runs.
    pub fn new(gate: Arc<Gate>, metrics: Arc<Metrics>) -> Self {
        Self { gate, metrics, was_full: false }
    }

    /// Fires until `stop`. `holding`: the lease, where pods share the log.
    pub async fn run(
        mut self,
        holding: Option<watch::Receiver<Option<LeaseToken>>>,
        stop: CancellationToken,
    ) {
        let mut ticks = interval(Self::EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            let lease = match &holding {
                Some(holding) => match *holding.borrow() {
                    Some(token) => Some(token),
                    None => {
                        self.metrics.sale_boundaries.set(0.0);
                        continue;
                    }
                },
                None => None,
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.fire(lease) => {}
            }
        }
    }

    /// Fires all that has come. What fails is tried again with the next look.
    async fn fire(&mut self, lease: Option<LeaseToken>) {
        loop {
            let fired = match self.gate.fire_sales(lease).await {
                Ok(fired) => fired,
                Err(Refused::Log(AppendError::Fenced | AppendError::KeyReused) | Refused::Draining) => return,
                Err(Refused::Log(error)) => {
                    tracing::debug!(%error, "sales that begin or end now are told later");
                    return;
                }
            };
            self.metrics.sale_boundaries.set(fired.waiting as f64);
            let full = fired.waiting >= BOUNDARIES_MAX;
            if full && !self.was_full {
                tracing::warn!(
                    most = BOUNDARIES_MAX,
                    "more begins and ends of sales are planned than are kept: the furthest are not told by the timer"
                );
            }
            self.was_full = full;
            if fired.fired < FIRED_MAX {
                return;
            }
        }
    }
}
