//! [`MemorySnapshots`]: snapshots and boundaries in this process's memory, bounded. Compares nothing.

use std::collections::{BTreeSet, HashMap};

use rand::Rng;

use super::{
    BOUNDARIES_MAX, SNAPSHOTS_MAX,
    sales::{Boundary, Planned},
    snapshot::{Snapshot, SnapshotKey},
};
use crate::model::LogTime;

/// What is kept. When it is full something goes; its product is told without old values next time.
#[derive(Debug, Default)]
pub(crate) struct MemorySnapshots {
    known: HashMap<SnapshotKey, Snapshot>,
    /// The keys of `known`, in no order.
    keys: Vec<SnapshotKey>,
    boundaries: HashMap<Boundary, i64>,
    /// The same by their instants.
    by_instant: BTreeSet<(i64, Boundary)>,
}

impl MemorySnapshots {
    /// What was seen last.
    pub(crate) fn get(&self, key: &SnapshotKey) -> Snapshot {
        self.known.get(key).cloned().unwrap_or_default()
    }

    /// Keeps these.
    pub(crate) fn keep(&mut self, snapshots: HashMap<SnapshotKey, Snapshot>) {
        for (key, snapshot) in snapshots {
            if self.known.insert(key.clone(), snapshot).is_none() {
                self.keys.push(key);
            }
        }
        // Any of them: a nightly import that touches more products than fit would find none of its own, were it the oldest.
        while self.keys.len() > SNAPSHOTS_MAX {
            let key = self.keys.swap_remove(rand::rng().random_range(0..self.keys.len()));
            self.known.remove(&key);
        }
    }

    /// Forgets all of them; boundaries stay.
    pub(crate) fn forget_seen(&mut self) {
        self.known.clear();
        self.keys.clear();
    }

    /// Keeps the boundaries that are still to come.
    pub(crate) fn plan(&mut self, planned: Vec<Planned>, now: LogTime) {
        for Planned { boundary, at_ms } in planned {
            self.forget(&boundary);
            if let Some(at_ms) = at_ms.filter(|at_ms| *at_ms > now.micros() / 1_000) {
                self.boundaries.insert(boundary.clone(), at_ms);
                self.by_instant.insert((at_ms, boundary));
            }
        }
        while self.by_instant.len() > BOUNDARIES_MAX
            && let Some((_, boundary)) = self.by_instant.pop_last()
        {
            self.boundaries.remove(&boundary);
        }
    }

    /// Boundaries that have come, the first ones, at most `count`.
    pub(crate) fn due(&self, now: LogTime, count: usize) -> Vec<(Boundary, i64)> {
        let has_come = |(at_ms, _): &&(i64, Boundary)| *at_ms <= now.micros() / 1_000;
        let first = self.by_instant.iter().take_while(has_come).take(count);
        first.map(|(at_ms, boundary)| (boundary.clone(), *at_ms)).collect()
    }

    /// Forgets a boundary.
    pub(crate) fn forget(&mut self, boundary: &Boundary) {
        if let Some(at_ms) = self.boundaries.remove(boundary) {
            self.by_instant.remove(&(at_ms, boundary.clone()));
        }
    }

    /// How many boundaries are kept.
    pub(crate) fn waiting(&self) -> usize {
        self.boundaries.len()
    }
}
