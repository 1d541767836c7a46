//! [`Lag`]: how far this pod's reader is behind what this pod appended, and the wait for it. Whoever appends as fast as a
//! server takes it can leave no time for reading, and then shoppers learn seconds later what was accepted, or are told to
//! refetch because the log was trimmed before it was read. Refuses nobody: that is for whoever waited too long.

use tokio::sync::watch;

use crate::model::Position;

/// Both ends of what this pod has not read yet.
#[derive(Debug, Default)]
pub(super) struct Lag(watch::Sender<Ends>);

#[derive(Debug, Clone, Copy, Default)]
struct Ends {
    /// The newest position at which this pod appended.
    appended: Option<Position>,
    /// Up to which the reader has handed everything on.
    read: Option<Position>,
}

impl Ends {
    fn is_far(self) -> bool {
        let Some((appended, read)) = self.appended.zip(self.read) else { return false };
        // Behind the end of an epoch nothing is read any more.
        appended.epoch == read.epoch && appended.n > read.n + Lag::EVENTS_MAX
    }
}

impl Lag {
    /// A quarter second's reading on a busy core: then a batch still leaves about one window late at most.
    pub(super) const EVENTS_MAX: u64 = 8_192;

    /// An append ended here. They are acknowledged in any order.
    pub(super) fn appended(&self, at: Position) {
        self.0.send_if_modified(|ends| {
            if ends.appended.is_none_or(|newest| newest.epoch != at.epoch || newest.n < at.n) {
                ends.appended = Some(at);
            }
            false
        });
    }

    /// The reader has handed everything on up to here.
    pub(super) fn read(&self, to: Position) {
        self.0.send_if_modified(|ends| {
            let was_far = ends.is_far();
            ends.read = Some(to);
            was_far && !ends.is_far()
        });
    }

    /// Waits until the reader is not far behind. Cancel safe.
    pub(super) async fn caught_up(&self) {
        if self.0.borrow().is_far() {
            // Fails only without a sender, and that is here.
            let _ = self.0.subscribe().wait_for(|ends| !ends.is_far()).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;
    use crate::model::Epoch;

    fn at(n: u64) -> Position {
        Epoch::from_random(1).at(n)
    }

    async fn waits(lag: &Lag) -> bool {
        timeout(Duration::from_secs(60), lag.caught_up()).await.is_err()
    }

    #[tokio::test(start_paused = true)]
    async fn who_appends_waits_for_a_reader_that_is_far_behind() {
        let lag = Lag::default();
        lag.read(at(10));
        lag.appended(at(10 + Lag::EVENTS_MAX));
        assert!(!waits(&lag).await);
        lag.appended(at(11 + Lag::EVENTS_MAX));
        assert!(waits(&lag).await);
        let (waited, ()) = tokio::join!(waits(&lag), async { lag.read(at(11)) });
        assert!(!waited, "it was read meanwhile");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_comes_late_makes_nobody_wait_less() {
        let lag = Lag::default();
        lag.read(at(0));
        lag.appended(at(1 + Lag::EVENTS_MAX));
        lag.appended(at(1));
        assert!(waits(&lag).await);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_what_is_not_read_any_more() {
        let lag = Lag::default();
        lag.appended(at(2 * Lag::EVENTS_MAX));
        assert!(!waits(&lag).await, "nothing is read here");
        lag.read(at(0));
        assert!(waits(&lag).await);
        lag.read(Epoch::from_random(2).at(0));
        assert!(!waits(&lag).await, "another epoch began");
    }
}
