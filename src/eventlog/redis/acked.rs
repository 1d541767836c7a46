//! [`Acked`]: what this pod was acknowledged, so that the losing side of a split finds out. Pure; does not ask anybody.

use std::time::Duration;

use super::store::{Lineage, Standing, Taken};
use crate::model::LogTime;

/// The newest acknowledgement in each lineage of servers this pod wrote to.
#[derive(Debug, Default)]
pub(super) struct Acked(Vec<(Lineage, LogTime)>);

impl Acked {
    /// Two servers' clocks may differ by this much (DESIGN section 2).
    const SKEW: Duration = Duration::from_secs(2);
    /// Lineages remembered. More than one only while servers change.
    const LINEAGES_MAX: usize = 8;

    /// Notes an acknowledgement.
    pub(super) fn note(&mut self, taken: &Taken) {
        match self.0.iter_mut().find(|(lineage, _)| *lineage == taken.lineage) {
            Some((_, newest)) => *newest = (*newest).max(taken.log_time),
            None => {
                if self.0.len() == Self::LINEAGES_MAX {
                    self.0.remove(0);
                }
                self.0.push((taken.lineage.clone(), taken.log_time));
            }
        }
    }

    /// Whether an append was acknowledged in another lineage after this epoch began: then it is in no history, and
    /// whoever follows this epoch was told to refetch too early. Forgets the other lineages: the answer is given once.
    pub(super) fn outlived(&mut self, standing: &Standing) -> bool {
        let skew_micros = i64::try_from(Self::SKEW.as_micros()).unwrap_or(i64::MAX);
        let since = LogTime::from_micros(standing.born.micros().saturating_sub(skew_micros));
        let lost =
            self.0.iter().any(|(lineage, newest)| lineage.differs(&standing.lineage) && *newest > since);
        self.0.retain(|(lineage, _)| !lineage.differs(&standing.lineage));
        lost
    }
}
