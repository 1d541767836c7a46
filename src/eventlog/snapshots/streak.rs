//! [`Streak`]: since when a product has been told of by comparing alone. Whatever else is said of a product ends its streak:
//! clients then fetch a state that nobody compared, and would keep it if the product went back to what was seen last. Pure.

use std::fmt;

use super::snapshot::Snapshot;

/// Entries about one product, one after the other, which all tell what was seen of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Streak {
    since_n: u64,
    last_n: u64,
}

/// What is known of a product when it is seen again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Last {
    /// What was seen of it last.
    pub snapshot: Snapshot,
    /// Nothing was said of the product since. Else clients may have fetched something newer, so that even what looks the same
    /// has to be told.
    pub stands: bool,
}

impl Last {
    /// What was seen in this very step.
    pub(super) fn just_seen(snapshot: Snapshot) -> Self {
        Self { snapshot, stands: true }
    }

    /// What was kept with the entry at `n`, given the streak of its product.
    ///
    /// A streak goes on when another variation is told, or the timer tells of a sale: old values are right then, only not all
    /// that clients may know. Without it anybody may have told any value since.
    pub(crate) fn recall(snapshot: Snapshot, n: u64, streak: Option<Streak>) -> Self {
        match streak.filter(|streak| streak.since_n <= n) {
            Some(streak) => Self { snapshot, stands: streak.last_n <= n },
            None => Self { snapshot: snapshot.without_look(), stands: false },
        }
    }
}

impl Streak {
    /// One that begins at `n`.
    pub(crate) fn begin(n: u64) -> Self {
        Self { since_n: n, last_n: n }
    }

    /// It goes on with `n`.
    pub(crate) fn go_on(&mut self, n: u64) {
        self.last_n = n;
    }

    /// Reads what [`Display`](fmt::Display) printed.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (since, last) = text.split_once('-')?;
        Some(Self { since_n: since.parse().ok()?, last_n: last.parse().ok()? })
    }
}

/// `since-last`.
impl fmt::Display for Streak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.since_n, self.last_n)
    }
}
