//! Beats: the regular word of where a connection stands. It finds a loss at the very end, which no later batch betrays.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::{Delivery, Hub, PositionBeat, Subscriber, subscriber::Membership};
use crate::{
    model::{Position, ProductId},
    telemetry::Transport,
};

/// Seconds between two beats of an announced Socket.IO client (contract section 5).
const SOCKETIO_EVERY: u64 = 20;
/// Seconds between two beats of an SSE stream: below the 30 to 60 s after which proxies cut a silent stream.
const SSE_EVERY: u64 = 15;

/// Beats until `stop`. Connections take their turns second by second, so that there is no moment when all are due.
pub async fn run_beats(hub: Arc<Hub>, stop: CancellationToken) {
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for second in 0_u64.. {
        tokio::select! {
            _ = seconds.tick() => {
                hub.end_expired();
                hub.beat(second).await;
            }
            () = stop.cancelled() => return,
        }
    }
}

impl Hub {
    /// Subscribers looked at before the task yields.
    const BEAT_SLICE: usize = 256;

    /// Ends those whose token has expired; their clients come back with a fresh one.
    fn end_expired(&self) {
        for subscriber in self.expired(Instant::now()) {
            self.metrics.connections_cut.of("expired").increment(1);
            subscriber.lane.close();
            self.disconnect(subscriber.id);
        }
    }

    async fn beat(&self, second: u64) {
        let due = |s: &Subscriber| {
            let every = match s.lane.transport() {
                Transport::SocketIo => SOCKETIO_EVERY,
                Transport::Sse => SSE_EVERY,
            };
            (second + s.id.0).is_multiple_of(every)
        };
        for slice in self.subscribers(due).chunks(Self::BEAT_SLICE) {
            slice.iter().for_each(|s| self.beat_one(s));
            tokio::task::yield_now().await;
        }
    }

    pub(super) fn beat_one(&self, subscriber: &Arc<Subscriber>) {
        if subscriber.lane.is_gone() {
            // The library forgot to say so, or says it in a moment.
            return self.disconnect(subscriber.id);
        }
        if subscriber.lane.transport() == Transport::SocketIo && !subscriber.announced {
            return;
        }
        // Covered first, standing after: what this position covers was delivered, or became a debt, before it moved.
        let covered = self.index.progress().covered();
        // Held until the beat is queued, so that a join comes wholly before it or wholly after.
        let mut membership = subscriber.membership.lock();
        // A client that has not joined yet would take the position for its products and skip what it missed.
        let tells = !membership.products.is_empty()
            && subscriber.update(|standing| {
                !standing.opening && standing.told(covered) == covered && standing.debt.is_none()
            });
        let beat = tells.then(|| self.position(&membership, covered));
        let told = subscriber.lane.beat(beat.as_ref());
        match told {
            Delivery::Sent if tells => membership.last_beat = covered,
            // What does not fit is told by the next one.
            Delivery::Sent | Delivery::Full => {}
            Delivery::Gone => {
                drop(membership);
                self.disconnect(subscriber.id);
            }
        }
    }

    fn position(&self, membership: &Membership, cursor: Position) -> PositionBeat {
        let last = membership.last_beat;
        let last_n = if last.epoch == cursor.epoch { last.n } else { 0 };
        let changed = |at: &Position| at.epoch == cursor.epoch && at.n > last_n && at.n <= cursor.n;
        let newest = |p: &ProductId| Some((p.clone(), self.index.newest(p).filter(changed)?));
        PositionBeat { cursor, products: membership.products.iter().filter_map(newest).collect() }
    }
}
