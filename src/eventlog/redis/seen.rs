//! [`SnapshotStore`]: what observing products asks of a server besides, each step atomic there; and how Redis does it. What
//! is kept is text here: it is read and compared by [`observe`](super::observe).

use std::time::Duration;

use async_trait::async_trait;

use super::{
    answers::{UNREADABLE, read_append_of_one},
    appends::Terms,
    server::RedisStore,
    store::{Store, StoreError, Taken},
};
use crate::{
    eventlog::{
        Append,
        snapshots::{BOUNDARIES_MAX, Boundary, FIRED_MAX, Planned, SNAPSHOTS_MAX, SnapshotKey},
    },
    model::Epoch,
    redis::{Args, Call},
};

/// A server that keeps snapshots and sale boundaries beside the log.
#[async_trait]
pub trait SnapshotStore: Store {
    /// Appends and keeps, if a claim does not decide first and if what was computed from still stands.
    async fn append_seen(&self, append: &Append, writes: &SeenWrites) -> Result<Stands, StoreError>;

    /// The sale boundaries that have come, the first ones. Changes nothing.
    async fn due(&self) -> Result<Due, StoreError>;
}

/// What an append was computed from, and what is to be kept with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenWrites {
    /// The epoch that must stand. `None`: the question what does.
    pub epoch: Option<Epoch>,
    /// Events in front that others told; those behind them tell what was seen.
    pub others: usize,
    /// The snapshots, each with what must stand.
    pub snapshots: Vec<SnapshotWrite>,
    /// The boundaries.
    pub boundaries: Vec<BoundaryWrite>,
}

/// One snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotWrite {
    /// Whose.
    pub key: SnapshotKey,
    /// What must stand of the product, as it was told.
    pub expected: Box<str>,
    /// What is kept from here on. `None`: the same.
    pub next: Option<Box<str>>,
    /// An event of this append tells it.
    pub told: bool,
}

/// One boundary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoundaryWrite {
    /// Which.
    pub name: Box<str>,
    /// The milliseconds that must stand. `None`: whatever does.
    pub expected_ms: Option<i64>,
    /// The milliseconds kept from here on, if they are still to come. `None`: it is forgotten.
    pub at_ms: Option<i64>,
}

/// What came of a conditional append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stands {
    /// It was taken, or its claim was known.
    Taken(Taken),
    /// Something else stands; nothing was done.
    Otherwise {
        /// The epoch.
        epoch: Epoch,
        /// What stands of each product, in the order asked.
        stands: Vec<Box<str>>,
    },
}

/// Boundaries that have come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The epoch; `None` before the first.
    pub epoch: Option<Epoch>,
    /// The boundaries, in the order of their instants.
    pub due: Vec<DueBoundary>,
    /// How many are kept, these included.
    pub waiting: usize,
}

/// A boundary that has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueBoundary {
    /// Which.
    pub name: Box<str>,
    /// Its instant.
    pub at_ms: i64,
    /// What stands of its product.
    pub stands: Box<str>,
}

impl SeenWrites {
    /// The question what stands of these. A known claim is answered at once.
    pub(super) fn question(keys: &[SnapshotKey]) -> Self {
        let write = |key: &SnapshotKey| SnapshotWrite {
            key: key.clone(),
            expected: Box::default(),
            next: None,
            told: false,
        };
        Self { epoch: None, others: 0, snapshots: keys.iter().map(write).collect(), boundaries: Vec::new() }
    }

    fn say(&self, args: &mut Args) {
        args.push_any(self.epoch);
        args.push(SNAPSHOTS_MAX);
        args.push(SNAPSHOTS_LIVE.as_millis());
        args.push(BOUNDARIES_MAX);
        args.push(self.others);
        args.push(self.snapshots.len());
        for SnapshotWrite { key, expected, next, told } in &self.snapshots {
            args.push(key);
            args.push(expected);
            args.push_any(next.as_deref());
            args.push(if *told { "1" } else { "" });
        }
        args.push(self.boundaries.len());
        for BoundaryWrite { name, expected_ms, at_ms } in &self.boundaries {
            args.push(name);
            args.push_any(*expected_ms);
            args.push_any(*at_ms);
        }
    }
}

/// How long snapshots are kept while no product is seen. They have a time to live, so that under a `volatile-` policy a
/// Redis that is short of memory lets them go first; without them products are told without old values. Boundaries have none.
const SNAPSHOTS_LIVE: Duration = Duration::from_secs(30 * 86_400);

impl BoundaryWrite {
    /// As it was planned, whatever was planned before.
    pub(super) fn plan(Planned { boundary, at_ms }: Planned) -> Self {
        Self { name: boundary.to_string().into(), expected_ms: None, at_ms }
    }

    /// Done with, if nobody else was quicker.
    pub(super) fn done(due: &DueBoundary) -> Self {
        Self { name: due.name.clone(), expected_ms: Some(due.at_ms), at_ms: None }
    }
}

impl DueBoundary {
    /// Which it is; `None`: another version kept it.
    pub(super) fn boundary(&self) -> Option<Boundary> {
        Boundary::parse(&self.name)
    }
}

#[async_trait]
impl SnapshotStore for RedisStore {
    async fn append_seen(&self, append: &Append, writes: &SeenWrites) -> Result<Stands, StoreError> {
        let terms = append.message.map(Terms::of_message).unwrap_or_default();
        let mut call = self.appends.call(&terms, vec![self.appends.part(append)]);
        call.keys.extend([self.keys.snapshots(), self.keys.sales()]);
        writes.say(&mut call.args);
        let ran = self.commands.write(&self.append_seen, &call).await?;
        match ran.returned.split_first() {
            Some((kind, stands)) if kind == "changed" => read_stands(stands).ok_or(UNREADABLE),
            _ => read_append_of_one(&ran).map(Stands::Taken),
        }
    }

    async fn due(&self) -> Result<Due, StoreError> {
        let keys = vec![self.keys.meta(), self.keys.snapshots(), self.keys.sales(), self.keys.streaks()];
        let call = Call { keys, args: [FIRED_MAX].into_iter().collect() };
        let returned = self.commands.ask(&self.due, &call).await?;
        read_due(&returned).ok_or(UNREADABLE)
    }
}

fn read_stands(returned: &[String]) -> Option<Stands> {
    let (epoch, stands) = returned.split_first()?;
    let stands = stands.iter().map(|text| text.as_str().into()).collect();
    Some(Stands::Otherwise { epoch: epoch.parse().ok()?, stands })
}

fn read_due(returned: &[String]) -> Option<Due> {
    let [epoch, waiting, due @ ..] = returned else { return None };
    let due = due.chunks_exact(3).map(|each| {
        let [name, at_ms, stands] = each else { return None };
        let (name, stands) = (name.as_str().into(), stands.as_str().into());
        Some(DueBoundary { name, at_ms: at_ms.parse().ok()?, stands })
    });
    Some(Due { epoch: epoch.parse().ok(), due: due.collect::<Option<_>>()?, waiting: waiting.parse().ok()? })
}
