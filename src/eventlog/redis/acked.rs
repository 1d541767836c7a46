//! [`Acked`]: what this pod was acknowledged, so that the losing side of a split finds out. Pure; does not ask anybody.
//!
//! After a split one side's history is thrown away. Whoever followed the other side was told to refetch when its epoch
//! began; appends that the losing side acknowledged after that moment are in no history and were told to nobody.
//! The two servers' clocks say nothing about each other, so both moments are taken by this pod's own clock.

use tokio::time::Instant;

use super::store::{Lineage, Standing, Taken};
use crate::model::Position;

/// The newest acknowledgement in each lineage of servers this pod wrote to.
#[derive(Debug, Default)]
pub(super) struct Acked(Vec<Newest>);

#[derive(Debug)]
struct Newest {
    lineage: Lineage,
    at: Position,
    moment: Instant,
}

impl Acked {
    /// Lineages remembered. More than one only while servers change.
    const LINEAGES_MAX: usize = 8;

    /// Notes an acknowledgement.
    pub(super) fn note(&mut self, taken: &Taken, now: Instant) {
        let at = taken.appended.cursor;
        match self.0.iter_mut().find(|newest| newest.lineage == taken.lineage) {
            Some(newest) => (newest.at, newest.moment) = (at, now),
            None => {
                if self.0.len() == Self::LINEAGES_MAX {
                    self.0.remove(0);
                }
                self.0.push(Newest { lineage: taken.lineage.clone(), at, moment: now });
            }
        }
    }

    /// Whether an append was acknowledged in another lineage after this epoch began. `asked` and `answered`: when the
    /// question left to which `standing` is the answer, and when that came. Forgets the other lineages: yes is said once.
    pub(super) fn outlived(&mut self, asked: Instant, answered: Instant, standing: &Standing) -> bool {
        // The server took its clock somewhere in between, so the epoch began somewhere between these two. An append that
        // was acknowledged in between is not lost if the epoch that ended then had it.
        let [earliest, latest] = [asked, answered].map(|moment| moment.checked_sub(standing.age));
        let after = |moment: Instant, begun: Option<Instant>| begun.is_none_or(|begun| moment > begun);
        let had = |at: Position| standing.ended.is_some_and(|end| end.epoch == at.epoch && at.n <= end.n);
        let lost = |newest: &Newest| {
            after(newest.moment, latest) || after(newest.moment, earliest) && !had(newest.at)
        };
        let elsewhere = |newest: &Newest| newest.lineage.differs(&standing.lineage);
        let any = self.0.iter().any(|newest| elsewhere(newest) && lost(newest));
        self.0.retain(|newest| !elsewhere(newest));
        any
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        eventlog::Appended,
        model::{Epoch, LogTime},
    };

    const SECOND: Duration = Duration::from_secs(1);

    fn lineage(name: &str) -> Lineage {
        Lineage(name.into())
    }

    /// An epoch so old, after one that ended with `ended_n`.
    fn standing(lineage_name: &str, age: Duration, ended_n: u64) -> Standing {
        Standing {
            head: Epoch::from_random(1).at(0),
            first_n: 1,
            log_time: LogTime::from_micros(0),
            born: LogTime::from_micros(0),
            age,
            ended: Some(Epoch::from_random(0).at(ended_n)),
            lineage: lineage(lineage_name),
        }
    }

    fn taken(lineage_name: &str, n: u64) -> Taken {
        let cursor = Epoch::from_random(0).at(n);
        let appended = Appended { accepted: 1, duplicates: 0, cursor, repeated: false };
        Taken { appended, lineage: lineage(lineage_name) }
    }

    #[test]
    fn an_append_acknowledged_elsewhere_after_the_epoch_began_is_lost() {
        let begin = Instant::now() + 60 * SECOND;
        for (acked_at, lost) in [(begin - SECOND, false), (begin + SECOND, true)] {
            let mut acked = Acked::default();
            acked.note(&taken("old", 1), acked_at);
            let asked = begin + 5 * SECOND;
            assert_eq!(acked.outlived(asked, asked, &standing("new", 5 * SECOND, 9)), lost);
            assert!(!acked.outlived(asked, asked, &standing("new", 5 * SECOND, 9)), "said once");
        }
    }

    #[test]
    fn what_the_ended_epoch_had_was_acknowledged_before_it_ended() {
        let begin = Instant::now() + 60 * SECOND;
        for (n, lost) in [(9, false), (10, true)] {
            let mut acked = Acked::default();
            acked.note(&taken("old", n), begin);
            let (asked, answered) = (begin - SECOND / 2, begin + SECOND / 2);
            assert_eq!(acked.outlived(asked, answered, &standing("new", Duration::ZERO, 9)), lost, "{n}");
        }
    }

    #[test]
    fn an_append_in_the_same_lineage_is_in_its_history() {
        let (mut acked, now) = (Acked::default(), Instant::now() + 60 * SECOND);
        acked.note(&taken("one", 1), now);
        assert!(!acked.outlived(now, now, &standing("one", SECOND, 0)));
        assert!(
            !acked.outlived(now, now, &standing("", SECOND, 0)),
            "a server that does not tell proves nothing"
        );
    }
}
