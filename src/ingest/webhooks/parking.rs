//! [`Parking`]: deliveries of platforms that never send again, while the log takes nothing.
//!
//! Such a delivery waits, unanswered, for as long as its sender waits. If it has to be refused, the names of its products are
//! remembered, and told when the log takes something again. A process that ends forgets them.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{
    sync::{Notify, Semaphore, SemaphorePermit},
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use super::{
    Intake,
    appender::Appender,
    owed::{Changes, Owed},
};
use crate::{eventlog::Appended, ingest::Refused, telemetry::Metrics};

/// How long a delivery waits. WooCommerce gives up after 60 s, and a proxy in front of the gateway may do so earlier.
const WAIT_MAX: Duration = Duration::from_secs(45);
/// Between two tries, in milliseconds; not all at once.
const RETRY_MS: std::ops::Range<u64> = 300..700;
/// Deliveries that wait at a time, each a connection. A larger one takes more places, so that memory is bounded as well.
const PLACES: usize = 1_000;
/// Changes in a delivery that take one place.
const CHANGES_A_PLACE: usize = 100;
/// Between two tries to tell what is owed.
const PAY_EVERY: Duration = Duration::from_secs(1);

/// Where they wait, and what is owed.
#[derive(Debug)]
pub(super) struct Parking {
    places: Semaphore,
    owed: Mutex<Owed>,
    owes: Notify,
    metrics: Arc<Metrics>,
}

/// That a delivery is not forgotten. Dropped before it is kept, also because its sender hung up, its products are owed.
struct Promise<'a> {
    parking: &'a Parking,
    changes: Option<Changes>,
}

impl Parking {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self { places: Semaphore::new(PLACES), owed: Mutex::default(), owes: Notify::new(), metrics }
    }

    /// Appends, however long the log takes to come back; `turn` is given up when that begins to be long.
    pub(super) async fn append(
        &self,
        appender: &Appender,
        intake: &Intake,
        turn: SemaphorePermit<'_>,
    ) -> Result<Option<Appended>, Refused> {
        let promise = Promise { parking: self, changes: Some(Changes::of(intake)) };
        let mut appended = appender.append(intake).await;
        drop(turn);
        let deadline = Instant::now() + WAIT_MAX;
        let places = u32::try_from(intake.len().div_ceil(CHANGES_A_PLACE).clamp(1, PLACES)).unwrap_or(1);
        if appended.is_err()
            && let Ok(_place) = self.places.try_acquire_many(places)
        {
            let waiting = &self.metrics.webhooks.parked;
            let _counted = Counted::new(waiting.clone());
            // A process on its way out takes nothing any more.
            while matches!(appended, Err(Refused::Log(_))) && Instant::now() < deadline {
                sleep(Duration::from_millis(rand::random_range(RETRY_MS))).await;
                appended = appender.append(intake).await;
            }
        }
        if appended.is_ok() {
            promise.keep();
        }
        appended
    }

    fn owe(&self, more: Owed) {
        let mut owed = self.owed.lock();
        owed.add(more);
        self.metrics.webhooks.owed.set(owed.len() as f64);
        self.owes.notify_one();
    }

    /// Tells what is owed as soon as that is possible, until `stop`.
    pub(super) async fn pay(&self, appender: &Appender, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = self.owes.notified() => {}
                () = stop.cancelled() => break,
            }
            while self.owed.lock().len() > 0 && !stop.is_cancelled() {
                if !self.pay_now(appender).await {
                    tokio::select! { () = sleep(PAY_EVERY) => {}, () = stop.cancelled() => {} }
                }
            }
        }
        let products = self.owed.lock().len();
        if products > 0 {
            tracing::warn!(
                products,
                "changes that came while the log was away are told to nobody: this process ends"
            );
        }
    }

    async fn pay_now(&self, appender: &Appender) -> bool {
        let owed = std::mem::take(&mut *self.owed.lock());
        let paid = match &owed {
            Owed::Changes(changes) => appender.append(&changes.intake(appender.clock().now())).await.is_ok(),
            Owed::Everything => appender.append_gap(Default::default()).await.is_ok(),
        };
        if paid {
            let owed = self.owed.lock();
            self.metrics.webhooks.owed.set(owed.len() as f64);
        } else {
            self.owe(owed);
        }
        paid
    }
}

impl Promise<'_> {
    fn keep(mut self) {
        self.changes = None;
    }
}

impl Drop for Promise<'_> {
    fn drop(&mut self) {
        if let Some(changes) = self.changes.take() {
            self.parking.owe(Owed::Changes(changes));
        }
    }
}

/// One more in a gauge, for as long as it lives.
struct Counted(metrics::Gauge);

impl Counted {
    fn new(gauge: metrics::Gauge) -> Self {
        gauge.increment(1.0);
        Self(gauge)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}
