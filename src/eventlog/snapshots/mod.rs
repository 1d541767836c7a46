//! What products looked like when they were last seen. Shops show whole products, storefronts want to know what changed;
//! what was seen last is the difference.
//!
//! Pure but for [`memory`], which only keeps. Where snapshots are kept, and that they change in one step with the log, is
//! each log's business; it asks [`compare`] what to append and what to keep.

mod diff;
mod memory;
mod sales;
mod snapshot;
mod streak;
#[cfg(test)]
mod tests;
mod wording;

use std::collections::HashMap;

pub use self::{
    diff::{Difference, diff},
    sales::{Boundary, Edge, Planned},
    snapshot::{Look, Shown, Snapshot, SnapshotKey},
    streak::Last,
};
pub(super) use self::{
    memory::MemorySnapshots,
    sales::{Crossed, cross},
    streak::Streak,
};
use super::{Appended, NewEvent, RequestClaim};
use crate::model::{Event, LogTime, ObservedProduct, ProductId};

/// Products seen at a shop: one request to append what changed about them.
#[derive(Debug, Clone)]
pub struct Sightings {
    /// The shop's claim on the delivery. It decides before anything is compared.
    pub request: Option<RequestClaim>,
    /// What the delivery tells besides, appended as it is and before what was seen. It is compared with nothing.
    pub events: Vec<NewEvent>,
    /// At most [`SIGHTINGS_MAX`], in the order in which they were seen.
    pub sightings: Vec<Sighting>,
    /// Wall time: for events that bring none, and to tell whether a sale is on.
    pub now: LogTime,
}

/// The most products one request may show: a script holds up everybody else for as long as it runs.
pub const SIGHTINGS_MAX: usize = 100;

/// Snapshots kept at most: ten thousand products with ten variations each.
///
/// They take 44 MB of this process's memory or 21 MB at Redis (measured), and their streaks up to 8 MB more. Beyond that any of them goes, and its product is
/// told without old values next time.
pub const SNAPSHOTS_MAX: usize = 100_000;
/// Boundaries kept at most: 20 MB in memory or 10 MB at Redis.
///
/// Beyond that the furthest ones go, and those sales are told when the shop next shows the product.
pub const BOUNDARIES_MAX: usize = 100_000;
/// Boundaries fired in one step.
pub const FIRED_MAX: usize = 100;

/// What was seen of a product.
#[derive(Debug, Clone)]
pub enum Sighting {
    /// It looks like this.
    Shown(Box<ObservedProduct>),
    /// It, or one variation of it, is gone. Always told, and what it looked like is void: should it come back just as it
    /// was, that is a change.
    Gone {
        /// Whose page showed it.
        product_id: ProductId,
        /// Which variation, if it was one.
        variation_id: Option<ProductId>,
        /// Since when.
        at: LogTime,
    },
}

impl Sighting {
    /// Whose snapshot it is compared with.
    pub fn key(&self) -> SnapshotKey {
        match self {
            Self::Shown(product) => SnapshotKey::of(product),
            Self::Gone { product_id, variation_id, .. } => {
                SnapshotKey { product_id: product_id.clone(), variation_id: variation_id.clone() }
            }
        }
    }
}

/// What came of sightings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observed {
    /// What came of the events, the delivery's own and those that differences are. Without any, nothing is accepted, and the
    /// cursor is where the log stood.
    pub appended: Appended,
    /// The sightings, by what they brought; all zero if the request was a repeated one.
    pub tally: Tally,
}

/// Sightings by what they brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// At least one event.
    pub changed: usize,
    /// Nothing: no shopper sees a difference.
    pub unchanged: usize,
    /// Nothing: something newer was seen before.
    pub outdated: usize,
}

/// What became of sale boundaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fired {
    /// Those that had come and are done with.
    pub fired: usize,
    /// Those of them that the shop had not told yet: events appended.
    pub told: usize,
    /// Those still kept.
    pub waiting: usize,
}

/// What sightings change: to be appended and kept in one step, or not at all.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// To append.
    pub(super) events: Vec<Event>,
    /// What is to be kept, each key once.
    pub(super) snapshots: HashMap<SnapshotKey, Next>,
    /// When sales begin and end, where that is new.
    pub(super) planned: Vec<Planned>,
    pub(super) tally: Tally,
}

/// A snapshot to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Next {
    pub(super) snapshot: Snapshot,
    /// Told in this step, so that all clients will know it. Else it stands for the entry that it stood for.
    pub(super) told: bool,
}

/// Compares sightings, one after the other, with the `last` snapshots.
pub(super) fn compare(sightings: &[Sighting], now: LogTime, last: impl Fn(&SnapshotKey) -> Last) -> Changes {
    let mut changes = Changes::default();
    for sighting in sightings {
        let key = sighting.key();
        let just_seen = |next: &Next| Last::just_seen(next.snapshot.clone());
        let last = changes.snapshots.get(&key).map_or_else(|| last(&key), just_seen);
        let difference = match sighting {
            Sighting::Shown(product) => diff(&last, product, now),
            Sighting::Gone { at, .. } => diff::gone(&last.snapshot, &key, *at),
        };
        changes.take(key, &last.snapshot, difference);
    }
    changes
}

impl Changes {
    fn take(&mut self, key: SnapshotKey, last: &Snapshot, difference: Difference) {
        let (next, told) = match difference {
            Difference::Outdated => {
                self.tally.outdated += 1;
                return;
            }
            Difference::None(next) => {
                self.tally.unchanged += 1;
                (next, false)
            }
            Difference::Changed(next, events) => {
                self.tally.changed += 1;
                self.events.extend(events);
                (next, true)
            }
        };
        self.planned.extend(sales::planned(&key, last, &next));
        if told || next != *last {
            let told = told || self.snapshots.get(&key).is_some_and(|before| before.told);
            self.snapshots.insert(key, Next { snapshot: next, told });
        }
    }
}
