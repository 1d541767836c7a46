//! [`Lag`]: how far this pod's reader is behind what this pod appended, and the wait for it. Whoever appends as fast as a
//! server takes it can leave no time for reading, and then shoppers learn seconds later what was accepted, or are told to
//! refetch because the log was trimmed before it was read. Refuses nobody: that is for whoever waited too long.

use tokio::sync::watch;

use crate::model::Position;

/// The wait of appends for the one reader of this pod.
#[derive(Debug, Default)]
pub(super) struct Lag(watch::Sender<Unread>);

/// What this pod's one reader has not read yet of what this pod appended, or had before it.
#[derive(Debug, Clone, Copy, Default)]
struct Unread {
    /// Up to which the reader has handed everything on; `None` before there is one.
    read: Option<Position>,
    /// The newest position at which this pod appended, in the reader's epoch.
    appended_n: u64,
}

impl Unread {
    fn is_far(self) -> bool {
        self.read.is_some_and(|read| self.appended_n.saturating_sub(read.n) > Lag::EVENTS_MAX)
    }
}

impl Lag {
    /// A quarter second's reading on a busy core: then a batch still leaves about one window late at most.
    pub(super) const EVENTS_MAX: u64 = 8_192;

    /// An append ended here. They are acknowledged in any order; one of another epoch than the reader's says nothing of it.
    pub(super) fn note_appended(&self, at: Position) {
        self.update(|unread| {
            if unread.read.is_some_and(|read| read.epoch == at.epoch) {
                unread.appended_n = unread.appended_n.max(at.n);
            }
        });
    }

    /// The reader has handed everything on up to here.
    pub(super) fn note_read(&self, to: Position) {
        self.update(|unread| {
            if unread.read.is_none_or(|read| read.epoch != to.epoch) {
                unread.appended_n = to.n;
            }
            unread.read = Some(to);
        });
    }

    /// The log ends here: what it lost behind that will not be read.
    pub(super) fn note_head(&self, head: Position) {
        self.update(|unread| {
            if unread.read.is_some_and(|read| read.epoch == head.epoch) {
                unread.appended_n = unread.appended_n.min(head.n);
            }
        });
    }

    /// Wakes those who wait if it ends their wait.
    fn update(&self, change: impl FnOnce(&mut Unread)) {
        self.0.send_if_modified(|unread| {
            let was_far = unread.is_far();
            change(unread);
            was_far && !unread.is_far()
        });
    }

    /// Waits until the reader is not far behind. Cancel safe.
    pub(super) async fn caught_up(&self) {
        if self.0.borrow().is_far() {
            // Fails only without a sender, and that is here.
            let _ = self.0.subscribe().wait_for(|unread| !unread.is_far()).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;
    use crate::model::Epoch;

    const FAR: u64 = Lag::EVENTS_MAX + 1;

    fn at(epoch: u64, n: u64) -> Position {
        Epoch::from_random(epoch).at(n)
    }

    async fn waits(lag: &Lag) -> bool {
        timeout(Duration::from_secs(60), lag.caught_up()).await.is_err()
    }

    /// A reader at the begin of an epoch, and an append far behind it.
    fn far() -> Lag {
        let lag = Lag::default();
        lag.note_read(at(1, 0));
        lag.note_appended(at(1, FAR));
        lag
    }

    #[tokio::test(start_paused = true)]
    async fn who_appends_waits_for_a_reader_that_is_far_behind() {
        let lag = Lag::default();
        lag.note_read(at(1, 10));
        lag.note_appended(at(1, 10 + Lag::EVENTS_MAX));
        assert!(!waits(&lag).await);
        lag.note_appended(at(1, 10 + FAR));
        assert!(waits(&lag).await);
        let (waited, ()) = tokio::join!(waits(&lag), async { lag.note_read(at(1, 11)) });
        assert!(!waited, "it was read meanwhile");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_comes_late_makes_nobody_wait_less() {
        let lag = far();
        lag.note_appended(at(1, 1));
        lag.note_appended(at(0, 7));
        assert!(waits(&lag).await);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_what_is_not_read_any_more() {
        let unread = Lag::default();
        unread.note_appended(at(1, 2 * FAR));
        assert!(!waits(&unread).await, "nothing is read here");
        let lag = far();
        let begin = async {
            lag.note_appended(at(2, 1));
            lag.note_read(at(2, 0));
        };
        let (waited, ()) = tokio::join!(waits(&lag), begin);
        assert!(!waited, "another epoch began");
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_what_the_log_has_lost() {
        let lag = far();
        let (waited, ()) = tokio::join!(waits(&lag), async { lag.note_head(at(1, 5)) });
        assert!(!waited);
    }
}
