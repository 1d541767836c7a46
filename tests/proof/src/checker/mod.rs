//! The checker: finds every broken promise in a history, in the manner of Jepsen's kafka checker. It is pure: it runs
//! nothing, and a history is all it knows.
//!
//! It goes over a history twice. First it learns what publishers were told ([`facts`]); then it follows every client
//! ([`clients`]). It keeps nothing for an event and a client together: what a client is owed follows from when it joined,
//! when it was last told to refetch, and the newest event of each type it got, so that millions of deliveries take
//! little memory.

mod clients;
mod facts;
mod report;

pub use report::{Anomaly, Counts, Kind, Report};

use self::{clients::Clients, facts::Facts};
use crate::history::{Names, Record};

/// Checks a history that is in memory.
pub fn check(names: &Names, records: &[Record]) -> Report {
    let mut learning = Learning::default();
    for (line, record) in (1..).zip(records) {
        learning.learn(line, record);
    }
    let mut following = learning.follow();
    for (line, record) in (1..).zip(records) {
        following.follow(line, record);
    }
    following.finish(names)
}

/// The first time over a history.
#[derive(Debug, Default)]
pub struct Learning(Facts);

impl Learning {
    /// Takes the next line.
    pub fn learn(&mut self, line: u32, record: &Record) {
        self.0.learn(line, record);
    }

    /// Goes on with the second time, from the beginning of the same history.
    pub fn follow(mut self) -> Following {
        self.0.settle();
        Following(Clients::new(self.0))
    }
}

/// The second time over a history.
#[derive(Debug)]
pub struct Following(Clients);

impl Following {
    /// Takes the next line.
    pub fn follow(&mut self, line: u32, record: &Record) {
        self.0.follow(line, record);
    }

    /// What was found.
    pub fn finish(self, names: &Names) -> Report {
        self.0.finish(names)
    }
}
