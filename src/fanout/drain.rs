//! Drain: every connection is ended, evenly spread over time, each after what it waits for was flushed to it.
//!
//! Tailing and batching go on meanwhile. Nobody is told anything: a client whose transport closes comes back by itself, to
//! another pod, and says there where it was.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use tokio::time::{Instant, MissedTickBehavior};

use super::{Hub, Subscriber};
use crate::model::Position;

/// A connection whose turn has come.
struct Leaving {
    subscriber: Arc<Subscriber>,
    since: Instant,
    /// Where the pod stood then: once that is covered, all that this connection waited for was handed to it.
    stood: Position,
}

/// How often somebody's turn comes: a hundred turns even in a short spread.
const TURN_EVERY: Duration = Duration::from_millis(20);

impl Hub {
    /// Ends every connection over `spread`, each at most `flush` after its turn came: who leaves before it was told resumes
    /// from before that. Call [`admit_no_more`](Self::admit_no_more) before.
    pub async fn drain(&self, spread: Duration, flush: Duration) {
        let everyone = self.subscribers(|_| true);
        let (count, start) = (everyone.len(), Instant::now());
        tracing::info!(connections = count, spread_ms = spread.as_millis(), "closing every connection");
        let mut staying = everyone.into_iter();
        let mut leaving = VecDeque::new();
        let mut turns = tokio::time::interval(TURN_EVERY);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while staying.len() > 0 || !leaving.is_empty() {
            turns.tick().await;
            let gone = due(count, start.elapsed(), spread);
            let turn = gone.saturating_sub(count - staying.len());
            leaving.extend(staying.by_ref().take(turn).map(|subscriber| self.begin_leave(subscriber)));
            leaving.retain(|leaving| !self.leave_if_flushed(leaving, flush));
        }
        // Those who were being let in when the door was closed.
        for late in self.subscribers(|_| true) {
            self.let_go(&late);
        }
    }

    fn begin_leave(&self, subscriber: Arc<Subscriber>) -> Leaving {
        let progress = self.index.progress();
        Leaving { subscriber, since: Instant::now(), stood: progress.epoch.at(progress.applied_n) }
    }

    fn leave_if_flushed(&self, leaving: &Leaving, flush: Duration) -> bool {
        let covered = self.index.progress().covered();
        let flushed = covered.epoch != leaving.stood.epoch || covered.n >= leaving.stood.n;
        let leaves = (flushed && leaving.subscriber.lane.is_flushed()) || leaving.since.elapsed() >= flush;
        if leaves {
            self.let_go(&leaving.subscriber);
        }
        leaves
    }

    fn let_go(&self, subscriber: &Subscriber) {
        subscriber.lane.close();
        self.disconnect(subscriber.id);
    }
}

/// How many of `count` are to be gone after `elapsed` of `spread`.
fn due(count: usize, elapsed: Duration, spread: Duration) -> usize {
    if elapsed >= spread {
        return count;
    }
    (count as f64 * elapsed.as_secs_f64() / spread.as_secs_f64()) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_come_evenly() {
        let spread = Duration::from_secs(20);
        let gone = |secs| due(3_000, Duration::from_secs(secs), spread);
        assert_eq!((0..=21).map(gone).collect::<Vec<_>>()[..4], [0, 150, 300, 450]);
        assert_eq!((gone(19), gone(20), gone(21)), (2_850, 3_000, 3_000));
        assert_eq!(due(7, Duration::ZERO, Duration::ZERO), 7);
        assert_eq!(due(0, Duration::from_secs(1), spread), 0);
    }
}
