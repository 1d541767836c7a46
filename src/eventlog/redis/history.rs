//! [`History`]: whether what a server tells continues what was read before. Pure: it reads nothing and asks nobody.
//!
//! An append-only log on a server that may lose data is not append-only: a failover can lose its tail and go on with
//! other entries under the same numbers, trimming can overtake a slow reader, a key can be deleted. A read alone shows
//! none of this, so each entry is checked against the one before it, and the log's head once a second against both.

use std::sync::Arc;

use super::store::{Content, Standing, Stored};
use crate::{
    eventlog::{Head, Tailed},
    model::{Entry, Epoch, LogTime, Position},
};

/// How far a reader has come.
#[derive(Debug, Clone)]
pub(super) struct History {
    /// The last position that was read or is known to be missing.
    last: Position,
    /// The log time of the entry there; `None` where no entry was read.
    last_time: Option<LogTime>,
}

/// What a reader does about what it was told.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Hand these on, in this order; there may be none.
    Go(Vec<Tailed>),
    /// Another epoch shows up: ask for the head before anything else.
    AskHead,
    /// The epoch continues another history than the one that was read: it must not go on. Hand these on, then begin
    /// a new epoch.
    Forked(Vec<Tailed>),
}

impl History {
    /// Everything up to `after` was read.
    pub(super) fn starting(after: Position) -> Self {
        Self { last: after, last_time: None }
    }

    /// The last position that was read or is known to be missing.
    pub(super) fn last(&self) -> Position {
        self.last
    }

    /// Judges entries that were read behind a position of `epoch`.
    pub(super) fn read(&mut self, epoch: Epoch, stored: Vec<Stored>) -> Verdict {
        if epoch != self.last.epoch {
            // Asked before the epoch changed.
            return Verdict::Go(Vec::new());
        }
        let mut tailed = Vec::new();
        for stored in stored {
            if stored.at.epoch != self.last.epoch {
                return if tailed.is_empty() { Verdict::AskHead } else { Verdict::Go(tailed) };
            }
            if stored.at.n <= self.last.n {
                continue;
            }
            if stored.at.n > self.last.n + 1 {
                self.miss(stored.at.n - 1, &mut tailed);
            } else if self.last_time.is_some_and(|time| time != stored.before) {
                return Verdict::Forked(tailed);
            }
            self.take(stored, &mut tailed);
        }
        Verdict::Go(tailed)
    }

    /// Judges the log's head. `asked_at`: where this reader was when it asked.
    pub(super) fn check(&mut self, asked_at: Position, standing: &Standing) -> Verdict {
        if standing.head.epoch != self.last.epoch {
            let start = standing.head.epoch.at(0);
            (self.last, self.last_time) = (start, Some(standing.born));
            let head = Head { position: standing.head, log_time: standing.log_time };
            return Verdict::Go(vec![Tailed::NewEpoch(head)]);
        }
        let is_behind = asked_at.epoch == self.last.epoch && standing.head.n < asked_at.n;
        // Entries beyond the head are nobody's: the head moves in the step that adds one.
        if is_behind || standing.first_n > standing.head.n + 1 {
            return Verdict::Forked(Vec::new());
        }
        let mut tailed = Vec::new();
        if standing.first_n > self.last.n + 1 {
            self.miss(standing.first_n - 1, &mut tailed);
        }
        Verdict::Go(tailed)
    }

    fn miss(&mut self, to_n: u64, tailed: &mut Vec<Tailed>) {
        self.last = self.last.epoch.at(to_n);
        self.last_time = None;
        tailed.push(Tailed::Gap { to: self.last });
    }

    fn take(&mut self, stored: Stored, tailed: &mut Vec<Tailed>) {
        (self.last, self.last_time) = (stored.at, Some(stored.log_time));
        match stored.content {
            Content::Event(entry) => push_entry(tailed, entry),
            Content::InputGap(product_ids) => tailed.push(Tailed::InputGap { at: stored.at, product_ids }),
            // A newer version wrote it: its event cannot be delivered here, so whoever is here refetches.
            Content::Unreadable => tailed.push(Tailed::Gap { to: stored.at }),
        }
    }
}

/// Neighbouring entries are handed on together.
fn push_entry(tailed: &mut Vec<Tailed>, entry: Arc<Entry>) {
    match tailed.last_mut() {
        Some(Tailed::Entries(entries)) => entries.push(entry),
        _ => tailed.push(Tailed::Entries(vec![entry])),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{super::store::Lineage, *};

    fn standing(n: u64, first_n: u64) -> Standing {
        Standing {
            head: Epoch::from_random(1).at(n),
            first_n,
            log_time: LogTime::from_micros(9),
            born: LogTime::from_micros(1),
            age: Duration::ZERO,
            ended: None,
            lineage: Lineage::default(),
        }
    }

    #[test]
    fn an_oldest_entry_beyond_the_head_is_another_history() {
        let at = Epoch::from_random(1).at(5);
        for (first_n, verdict) in [
            (6, Verdict::Go(Vec::new())),
            (7, Verdict::Forked(Vec::new())),
            (u64::MAX, Verdict::Forked(Vec::new())),
        ] {
            assert_eq!(History::starting(at).check(at, &standing(5, first_n)), verdict, "{first_n}");
        }
    }
}
