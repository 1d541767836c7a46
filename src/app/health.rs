//! Health: what a person, a load balancer and an orchestrator ask. Judges; changes nothing.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use serde::Serialize;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::{
    eventlog::{EventLog, Head},
    fanout::Hub,
    index::Progress,
    model::Position,
    telemetry::Metrics,
};

/// How this process stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum State {
    Starting,
    Ready,
    /// The log's head moved and this pod did not follow.
    Lagging,
    /// The log cannot be reached; what is connected stays.
    LogAway,
    Draining,
}

impl State {
    /// As the metric names it.
    fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Lagging => "lagging",
            Self::LogAway => "log_away",
            Self::Draining => "draining",
        }
    }
}

/// The judge.
#[derive(Debug)]
pub(super) struct Health {
    state: AtomicU8,
    hub: Arc<Hub>,
    metrics: Arc<Metrics>,
    started: Instant,
}

/// `GET /health`. The first five fields are what the original gateway answered; ours come after.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    status: &'static str,
    service: &'static str,
    connections: usize,
    rooms: Rooms,
    batching: Batching,
    #[serde(flatten)]
    details: Option<Details>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Rooms {
    total_rooms: usize,
    total_subscribers: usize,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Batching {
    pending_batches: usize,
}

#[derive(Debug, Serialize)]
struct Details {
    version: &'static str,
    #[serde(rename = "uptimeSecs")]
    uptime_secs: u64,
    log: LogDetails,
}

#[derive(Debug, Serialize)]
struct LogDetails {
    applied: Position,
    covered: Position,
    floor: Position,
}

impl Health {
    pub(super) fn new(hub: Arc<Hub>, metrics: Arc<Metrics>) -> Self {
        Self { state: AtomicU8::new(State::Starting as u8), hub, metrics, started: Instant::now() }
    }

    /// Everything runs.
    pub(super) fn ready(&self) {
        self.set(State::Ready);
    }

    /// On the way out; there is no way back.
    pub(super) fn drain(&self) {
        self.state.store(State::Draining as u8, Ordering::Release);
    }

    /// Whether new connections should come here. An unreachable log alone does not say no: or all pods would at once.
    pub(super) fn is_ready(&self) -> bool {
        matches!(self.state(), State::Ready | State::LogAway)
    }

    /// Whether this process is on its way out.
    pub(super) fn is_draining(&self) -> bool {
        self.state() == State::Draining
    }

    /// The answer of `/health`, with our own fields or without.
    pub(super) fn report(&self, detailed: bool) -> Report {
        let counts = self.hub.counts();
        let progress = self.hub.index().progress();
        let details = detailed.then(|| Details {
            version: env!("CARGO_PKG_VERSION"),
            uptime_secs: self.started.elapsed().as_secs(),
            log: LogDetails {
                applied: progress.epoch.at(progress.applied_n),
                covered: progress.covered(),
                floor: progress.floor(),
            },
        });
        Report {
            status: if self.state() == State::Ready { "healthy" } else { "degraded" },
            service: "websocket-gateway",
            connections: counts.connections,
            rooms: Rooms { total_rooms: counts.rooms, total_subscribers: counts.subscribers },
            batching: Batching { pending_batches: counts.pending_windows },
            details,
        }
    }

    /// The answer of `/metrics`.
    pub(super) fn metrics(&self) -> String {
        self.metrics.health.set(self.state().as_str());
        self.metrics.rooms.set(self.hub.counts().rooms as f64);
        self.metrics.refetch_queue.set(self.hub.refetch_queue().as_secs_f64());
        self.metrics.render()
    }

    fn state(&self) -> State {
        let state = self.state.load(Ordering::Acquire);
        let all = [State::Starting, State::Ready, State::Lagging, State::LogAway, State::Draining];
        all.into_iter().find(|s| *s as u8 == state).unwrap_or(State::Draining)
    }

    /// Moves between the states of a running process; a draining one stays so.
    fn set(&self, next: State) {
        let update = |now| (now != State::Draining as u8 && now != next as u8).then_some(next as u8);
        if self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, update).is_ok() {
            tracing::info!(state = ?next, "health changed");
        }
    }
}

/// How often the head is looked at.
const WATCH_EVERY: Duration = Duration::from_millis(500);

/// How many events the head is ahead; of a history this pod does not know yet, all of them.
fn behind_by(head: &Head, progress: &Progress) -> u64 {
    let known = head.position.epoch == progress.epoch;
    head.position.n.saturating_sub(if known { progress.applied_n } else { 0 })
}

/// Whether this pod stands still while the log's head moves. Pure.
#[derive(Debug, Default)]
struct Follows {
    /// The oldest head that this pod has not reached, and since when.
    behind: Option<(Position, Instant)>,
}

impl Follows {
    /// How long it may (contract section 7).
    const LAG_MAX: Duration = Duration::from_secs(2);

    /// Looks at where both are now.
    fn lags(&mut self, head: Position, applied: Position, now: Instant) -> bool {
        let reached = |at: Position| at.epoch == applied.epoch && at.n <= applied.n;
        // What an epoch ended with is never reached once there is another.
        self.behind = self.behind.filter(|(at, _)| at.epoch == head.epoch && !reached(*at));
        if self.behind.is_none() && !reached(head) {
            self.behind = Some((head, now));
        }
        self.behind.is_some_and(|(_, since)| now.duration_since(since) >= Self::LAG_MAX)
    }
}

/// Compares the log's head with what this pod has applied, until `stop`.
pub(super) async fn watch_head(log: Arc<dyn EventLog>, health: Arc<Health>, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(WATCH_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut follows = Follows::default();
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = stop.cancelled() => return,
        }
        let Some(head) = stop.run_until_cancelled(log.head()).await else { return };
        let Ok(head) = head else {
            // Only a pod that was ready stays so without a log.
            if health.is_ready() {
                health.set(State::LogAway);
            }
            continue;
        };
        let progress = health.hub.index().progress();
        health.metrics.log_behind.set(behind_by(&head, &progress) as f64);
        let lags = follows.lags(head.position, progress.epoch.at(progress.applied_n), Instant::now());
        health.set(if lags { State::Lagging } else { State::Ready });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Epoch;

    const TICK: Duration = Duration::from_millis(500);

    fn at(epoch: u64, n: u64) -> Position {
        Epoch::from_random(epoch).at(n)
    }

    /// Whether a pod lags at the end of these looks, one each half second: the log's head, and what the pod has applied.
    fn lags(looks: impl IntoIterator<Item = (Position, Position)>) -> bool {
        let (mut follows, mut now) = (Follows::default(), Instant::now());
        let mut lags = false;
        for (head, applied) in looks {
            lags = follows.lags(head, applied, now);
            now += TICK;
        }
        lags
    }

    #[test]
    fn a_pod_lags_when_it_has_not_reached_in_two_seconds_what_the_head_was() {
        let stands_still = |ticks| (0..=ticks).map(|tick| (at(1, 10 + tick), at(1, 9)));
        assert!(!lags(stands_still(3)));
        assert!(lags(stands_still(4)));
        let always_a_little_behind = (0..20).map(|tick| (at(1, 10 + tick), at(1, 9 + tick)));
        assert!(!lags(always_a_little_behind));
        assert!(
            !lags(stands_still(10).chain([(at(1, 30), at(1, 25))])),
            "it has reached what was the head then"
        );
    }

    #[test]
    fn what_an_epoch_ended_with_need_not_be_reached_once_there_is_another() {
        let behind = (at(1, 10), at(1, 9));
        let in_the_next = (0..10).map(|tick| (at(2, tick), at(2, tick)));
        assert!(!lags([behind].into_iter().chain(in_the_next)));
        let does_not_follow = (0..=4).map(|tick| (at(2, tick), at(1, 9)));
        assert!(lags([behind].into_iter().chain(does_not_follow)));
    }
}
