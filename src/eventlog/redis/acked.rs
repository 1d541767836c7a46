//! [`Acked`]: what this pod was acknowledged, so that the losing side of a split finds out. Pure; does not ask anybody.
//!
//! After a split one side's history is thrown away. Whoever followed the other side was told to refetch when its epoch
//! began; appends that the losing side acknowledged after that moment are in no history and were told to nobody.
//! The two servers' clocks say nothing about each other, so both moments are taken by this pod's own clock.

use tokio::time::Instant;

use super::store::{Lineage, Standing};

/// The newest acknowledgement in each lineage of servers this pod wrote to.
#[derive(Debug, Default)]
pub(super) struct Acked(Vec<(Lineage, Instant)>);

impl Acked {
    /// Lineages remembered. More than one only while servers change.
    const LINEAGES_MAX: usize = 8;

    /// Notes an acknowledgement.
    pub(super) fn note(&mut self, lineage: Lineage, now: Instant) {
        match self.0.iter_mut().find(|(known, _)| *known == lineage) {
            Some((_, newest)) => *newest = now,
            None => {
                if self.0.len() == Self::LINEAGES_MAX {
                    self.0.remove(0);
                }
                self.0.push((lineage, now));
            }
        }
    }

    /// Whether an append was acknowledged in another lineage after this epoch began. `asked`: when the question left to
    /// which `standing` is the answer. Forgets the other lineages: yes is said once.
    pub(super) fn outlived(&mut self, asked: Instant, standing: &Standing) -> bool {
        // The server took its clock after the question left, so this is never too late.
        let begun = asked.checked_sub(standing.age);
        let lost = self.0.iter().any(|(lineage, newest)| {
            lineage.differs(&standing.lineage) && begun.is_none_or(|begun| *newest > begun)
        });
        self.0.retain(|(lineage, _)| !lineage.differs(&standing.lineage));
        lost
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::{Epoch, LogTime};

    const SECOND: Duration = Duration::from_secs(1);

    fn lineage(name: &str) -> Lineage {
        Lineage(name.into())
    }

    fn standing(lineage_name: &str, age: Duration) -> Standing {
        Standing {
            head: Epoch::from_random(1).at(0),
            first_n: 1,
            log_time: LogTime::from_micros(0),
            born: LogTime::from_micros(0),
            age,
            lineage: lineage(lineage_name),
        }
    }

    #[test]
    fn an_append_acknowledged_elsewhere_after_the_epoch_began_is_lost() {
        let begin = Instant::now() + 60 * SECOND;
        for (acked_at, lost) in [(begin - SECOND, false), (begin + SECOND, true)] {
            let mut acked = Acked::default();
            acked.note(lineage("old"), acked_at);
            assert_eq!(acked.outlived(begin + 5 * SECOND, &standing("new", 5 * SECOND)), lost);
            assert!(!acked.outlived(begin + 6 * SECOND, &standing("new", 6 * SECOND)), "said once");
        }
    }

    #[test]
    fn an_append_in_the_same_lineage_is_in_its_history() {
        let (mut acked, now) = (Acked::default(), Instant::now() + 60 * SECOND);
        acked.note(lineage("one"), now);
        assert!(!acked.outlived(now, &standing("one", SECOND)));
        assert!(!acked.outlived(now, &standing("", SECOND)), "a server that does not tell proves nothing");
    }
}
