//! [`MemorySnapshots`]: snapshots and boundaries in this process's memory, bounded. Compares nothing.

use std::collections::{BTreeSet, HashMap};

use rand::Rng;

use super::{
    BOUNDARIES_MAX, Next, SNAPSHOTS_MAX,
    sales::{Boundary, Planned},
    snapshot::{Snapshot, SnapshotKey},
    streak::{Last, Streak},
};
use crate::model::{LogTime, ProductId};

/// What is kept. When it is full something goes; its product is told without old values next time.
#[derive(Debug, Default)]
pub(crate) struct MemorySnapshots {
    /// Each with the `n` of the entry that it stands for.
    known: HashMap<SnapshotKey, (Snapshot, u64)>,
    /// The keys of `known`, in no order.
    keys: Vec<SnapshotKey>,
    /// Of products with a snapshot.
    streaks: HashMap<ProductId, Streak>,
    boundaries: HashMap<Boundary, i64>,
    /// The same by their instants.
    by_instant: BTreeSet<(i64, Boundary)>,
}

impl MemorySnapshots {
    /// What was seen last.
    pub(crate) fn get(&self, key: &SnapshotKey) -> Last {
        let Some((snapshot, n)) = self.known.get(key) else { return Last::default() };
        Last::recall(snapshot.clone(), *n, self.streaks.get(&key.product_id).copied())
    }

    /// Keeps these. `n`: of the last entry of the step that told them.
    pub(crate) fn keep(&mut self, snapshots: HashMap<SnapshotKey, Next>, n: u64) {
        for (key, Next { snapshot, told }) in snapshots {
            if told {
                self.streaks.entry(key.product_id.clone()).or_insert(Streak::begin(n));
            }
            let told_n = if told { n } else { self.known.get(&key).map_or(0, |(_, told_n)| *told_n) };
            if self.known.insert(key.clone(), (snapshot, told_n)).is_none() {
                self.keys.push(key);
            }
        }
        // Any of them: a nightly import that touches more products than fit would find none of its own, were it the oldest.
        while self.keys.len() > SNAPSHOTS_MAX {
            let key = self.keys.swap_remove(rand::rng().random_range(0..self.keys.len()));
            self.known.remove(&key);
            self.streaks.remove(&key.product_id);
        }
    }

    /// The entry at `n` tells of the product what was seen, or what the timer knows.
    pub(crate) fn go_on(&mut self, product_id: &ProductId, n: u64) {
        if let Some(streak) = self.streaks.get_mut(product_id) {
            streak.go_on(n);
        }
    }

    /// Somebody else spoke of the product.
    pub(crate) fn end_streak(&mut self, product_id: &ProductId) {
        self.streaks.remove(product_id);
    }

    /// Anything may have been said of any product.
    pub(crate) fn end_streaks(&mut self) {
        self.streaks.clear();
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
