//! [`Batcher`]: the one task that tails the log and keeps the windows. Decides nothing: [`Windows`] does.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::{BatchConfig, Closed, Windows};
use crate::{
    eventlog::{EventLog, Head, LogError, Tail, Tailed},
    model::{Entry, Position, ProductId},
    telemetry::Metrics,
};

/// Where batches go. One caller, one call at a time, in order; a call ends when its batch is handed to every
/// subscriber, so that [`covered`](Self::covered) never runs ahead of a delivery.
#[async_trait]
pub trait Downstream: Send + Sync + 'static {
    /// The newest entries read from the log, oldest first. They may not be in their windows yet.
    fn applied(&self, entries: &[Arc<Entry>]);
    /// A batch left its window. Answers to how many connections it was handed.
    async fn flush(&self, closed: Closed) -> usize;
    /// Everything at or before this position was flushed; so many windows hold what comes behind it.
    fn covered(&self, position: Position, pending_windows: usize);
    /// Entries up to this position are missing for good.
    fn gap(&self, to: Position);
    /// An input lost something before this position: of these products or, if there are none, of any.
    fn input_gap(&self, at: Position, product_ids: &[ProductId]);
    /// History changed; all positions so far are void.
    fn new_epoch(&self, head: Head);
}

/// The task.
pub struct Batcher {
    log: Arc<dyn EventLog>,
    tail: Box<dyn Tail>,
    windows: Windows,
    downstream: Arc<dyn Downstream>,
    metrics: Arc<Metrics>,
    /// The log could not be read at the last try.
    failing: bool,
}

impl std::fmt::Debug for Batcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batcher").field("windows", &self.windows).finish_non_exhaustive()
    }
}

impl Batcher {
    /// How long a failed read waits before the next try.
    const RETRY: Duration = Duration::from_millis(200);
    /// Batches and deliveries in one turn, which are 3 ms if all are deliveries: looking at the log costs as much as a
    /// few batches that nobody gets.
    const TURN: usize = 256;

    /// A batcher that has applied everything up to `after`, which is where `tail` stands.
    pub fn new(
        config: BatchConfig,
        log: Arc<dyn EventLog>,
        tail: Box<dyn Tail>,
        after: Position,
        downstream: Arc<dyn Downstream>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self { log, tail, windows: Windows::new(config, after), downstream, metrics, failing: false }
    }

    /// Runs until `drain` is cancelled; then reads on to the head of the log, flushes every window and returns.
    pub async fn run(mut self, drain: CancellationToken) {
        // Windows close in time also while the log cannot be read.
        let mut read_from = Instant::now();
        let mut log_first = false;
        let mut alarm = Alarm::new();
        loop {
            let due = async {
                alarm.due(self.windows.next_deadline()).await;
                Next::Due
            };
            let read = async { Next::Read(read_after(read_from, &mut *self.tail).await) };
            let next = tokio::select! {
                biased;
                () = drain.cancelled() => break,
                next = first_of(log_first, read, due) => next,
            };
            // Batches and entries take turns. When many windows are due, what is appended meanwhile would otherwise open
            // its windows all at once behind them, and they would be due all at once: such a convoy never ends.
            log_first = matches!(next, Next::Due);
            match next {
                Next::Due => {
                    let mut work = 0;
                    while work < Self::TURN
                        && let Some(closed) = self.windows.expire(Instant::now())
                    {
                        work += 1 + self.flush(closed).await;
                    }
                    self.cover();
                    // On one core those who append have had no turn for as long as that took.
                    if work >= Self::TURN {
                        tokio::task::yield_now().await;
                    }
                }
                Next::Read(Ok(tailed)) => {
                    self.note(None);
                    self.take(tailed).await;
                }
                Next::Read(Err(error)) => {
                    self.note(Some(error));
                    read_from = Instant::now() + Self::RETRY;
                }
            }
        }
        self.drain().await;
    }

    /// What was accepted before the drain is in the log; it leaves before the process does.
    async fn drain(mut self) {
        if let Err(error) = self.read_to_head().await {
            tracing::warn!(%error, "the log could not be read to its end; other processes deliver what is left");
        }
        let closed = self.windows.flush();
        self.leave(closed).await;
    }

    /// Tells when reading begins to fail and when it works again, not every try in between.
    fn note(&mut self, error: Option<LogError>) {
        match error {
            Some(error) if !self.failing => tracing::warn!(%error, "reading the log fails, trying again"),
            None if self.failing => tracing::info!("the log is read again"),
            _ => {}
        }
        self.failing = error.is_some();
    }

    async fn read_to_head(&mut self) -> Result<(), LogError> {
        let head = self.log.head().await?.position;
        while self.windows.applied().epoch == head.epoch && self.windows.applied().n < head.n {
            let tailed = self.tail.next().await?;
            self.take(tailed).await;
        }
        Ok(())
    }

    async fn take(&mut self, tailed: Tailed) {
        match tailed {
            Tailed::Entries(entries) => {
                self.downstream.applied(&entries);
                for entry in entries {
                    let closed = self.windows.push(Instant::now(), entry);
                    self.leave(closed).await;
                }
            }
            Tailed::Gap { to } => {
                let closed = self.windows.flush();
                self.leave(closed).await;
                self.windows.skip_to(to);
                self.downstream.gap(to);
            }
            Tailed::InputGap { at, product_ids } => {
                let closed = self.windows.flush();
                self.leave(closed).await;
                self.windows.skip_to(at);
                self.downstream.input_gap(at, &product_ids);
            }
            Tailed::NewEpoch(head) => {
                let closed = self.windows.flush();
                self.leave(closed).await;
                self.windows.skip_to(head.position.epoch.at(0));
                self.downstream.new_epoch(head);
            }
        }
    }

    async fn leave(&mut self, closed: Vec<Closed>) {
        for closed in closed {
            self.flush(closed).await;
        }
        self.cover();
    }

    async fn flush(&mut self, closed: Closed) -> usize {
        self.metrics.batches.increment(1);
        self.metrics.batch_events.record(closed.batch.count() as f64);
        self.downstream.flush(closed).await
    }

    fn cover(&self) {
        self.downstream.covered(self.windows.covered(), self.windows.pending_count());
    }
}

/// What the batcher does next.
enum Next {
    Due,
    Read(Result<Tailed, LogError>),
}

/// The first to be ready; if both are, `one` if `one_first`, else `other`. Cancel safe if both are.
async fn first_of<T>(one_first: bool, one: impl Future<Output = T>, other: impl Future<Output = T>) -> T {
    let (mut one, mut other) = (pin!(one), pin!(other));
    poll_fn(|cx| {
        let first = if one_first { one.as_mut().poll(cx) } else { other.as_mut().poll(cx) };
        if first.is_ready() {
            return first;
        }
        if one_first { other.as_mut().poll(cx) } else { one.as_mut().poll(cx) }
    })
    .await
}

/// One timer for all windows. To set one, or to set one anew, is a system call on a runtime that has no earlier one, and on a
/// busy log the batcher is back after every event or two.
struct Alarm {
    sleep: Pin<Box<Sleep>>,
    begun: Instant,
}

impl Alarm {
    /// That of the runtime's timers. What is due within it leaves together, instead of a turn for each.
    const GRAIN: Duration = Duration::from_millis(1);

    fn new() -> Self {
        let begun = Instant::now();
        Self { sleep: Box::pin(sleep_until(begun)), begun }
    }

    /// Waits for a deadline, or less than two grains longer: one is ours, so that the timer need not be set anew for each
    /// window, and one the runtime's. Cancel safe.
    async fn due(&mut self, deadline: Option<Instant>) {
        let Some(deadline) = deadline else { return std::future::pending().await };
        // A sleep is not over before the timers were looked at, however late it is.
        if deadline + Self::GRAIN <= Instant::now() {
            return;
        }
        let into_grain_ns =
            deadline.saturating_duration_since(self.begun).subsec_nanos() % Self::GRAIN.subsec_nanos();
        let to_next = Self::GRAIN - Duration::from_nanos(into_grain_ns.into());
        let at = if into_grain_ns == 0 { deadline } else { deadline + to_next };
        if self.sleep.deadline() != at {
            self.sleep.as_mut().reset(at);
        }
        self.sleep.as_mut().await;
    }
}

/// Cancel safe, as the tail is.
async fn read_after(moment: Instant, tail: &mut dyn Tail) -> Result<Tailed, LogError> {
    if moment > Instant::now() {
        sleep_until(moment).await;
    }
    tail.next().await
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_deadline_is_waited_for_and_hardly_longer() {
        let mut alarm = Alarm::new();
        for micros in [0, 1, 300, 999, 1_000, 1_700] {
            let deadline = Instant::now() + Duration::from_micros(5_000 + micros);
            alarm.due(Some(deadline)).await;
            let late = Instant::now().checked_duration_since(deadline).expect("not too early");
            assert!(late < 2 * Alarm::GRAIN, "{late:?}");
        }
        let begun = Instant::now();
        alarm.due(Some(begun)).await;
        assert!(begun.elapsed() < 2 * Alarm::GRAIN, "one that has come");
    }

    #[tokio::test(start_paused = true)]
    async fn an_earlier_deadline_takes_the_place_of_a_later_one() {
        const MINUTE: Duration = Duration::from_secs(60);
        let (mut alarm, begun) = (Alarm::new(), Instant::now());
        assert!(timeout(Duration::from_millis(5), alarm.due(Some(begun + MINUTE))).await.is_err());
        alarm.due(Some(begun + Duration::from_millis(20))).await;
        assert!(begun.elapsed() < Duration::from_millis(23));
        assert!(timeout(MINUTE, alarm.due(None)).await.is_err(), "without one nothing is due");
    }

    #[tokio::test]
    async fn of_two_that_are_ready_the_one_that_goes_first_is_taken() {
        assert_eq!(first_of(true, ready("log"), ready("window")).await, "log");
        assert_eq!(first_of(false, ready("log"), ready("window")).await, "window");
        assert_eq!(first_of(true, std::future::pending(), ready("window")).await, "window");
    }
}
