//! Observed products on the shared log. Two pods may see the same product at once, so nothing is compared under a lock: a
//! pod is told what stands at the server, compares, and appends on condition that it still stands. If not, it begins again.

use std::collections::HashMap;

use super::{
    SharedLog, Turn,
    seen::{BoundaryWrite, Due, DueBoundary, SeenWrites, SnapshotStore, SnapshotWrite, Stands},
    store::StoreError,
    unavailable,
};
use crate::{
    eventlog::{
        Append, AppendError, LeaseToken, Message, NewEvent,
        snapshots::{
            Fired, Last, Next, Observed, Sightings, Snapshot, SnapshotKey, Streak, Tally, compare, cross,
        },
    },
    model::{Epoch, Event},
};

/// Tries until it is given up. Of those who try at once, in each round at least one gets through.
const ROUNDS_MAX: usize = 32;

impl<S: SnapshotStore> SharedLog<S> {
    /// See [`EventLog::observe`](crate::eventlog::EventLog::observe).
    pub(super) async fn observe_shown(&self, sightings: &Sightings) -> Result<Observed, AppendError> {
        let keys = keys(sightings);
        let mut tally = Tally::default();
        let step = async {
            let mut append =
                Append { request: sightings.request, events: sightings.events.clone(), message: None };
            let mut writes = SeenWrites::question(&keys);
            for _ in 0..ROUNDS_MAX {
                let (epoch, stands) = match self.store.append_seen(&append, &writes).await {
                    Ok(Stands::Taken(taken)) => return Ok(taken),
                    Ok(Stands::Otherwise { epoch, stands }) => (epoch, stands),
                    Err(StoreError::Inconsistent(Some(epoch))) => {
                        self.store.renew(epoch).await?;
                        continue;
                    }
                    Err(error) => return Err(error),
                };
                let changes = compare(&sightings.sightings, sightings.now, last(Some(epoch), &keys, &stands));
                tally = changes.tally;
                append.events = sightings.events.iter().cloned().chain(told(changes.events)).collect();
                writes = SeenWrites {
                    epoch: Some(epoch),
                    others: sightings.events.len(),
                    snapshots: expecting(&keys, stands, &changes.snapshots),
                    boundaries: changes.planned.into_iter().map(BoundaryWrite::plan).collect(),
                };
            }
            Err(StoreError::Contended)
        };
        let appended = self.guarded(Turn::BehindTheReader, step).await?.appended;
        // The first answer counted them.
        let tally = if appended.repeated { Tally::default() } else { tally };
        Ok(Observed { appended, tally })
    }

    /// See [`EventLog::fire_sales`](crate::eventlog::EventLog::fire_sales).
    pub(super) async fn fire_due(&self, lease: Option<LeaseToken>) -> Result<Fired, AppendError> {
        let Due { epoch, due, waiting } = self.store.due().await.map_err(|_| unavailable())?;
        if due.is_empty() {
            return Ok(Fired { waiting, ..Fired::default() });
        }
        let boundaries = due.iter().map(BoundaryWrite::done).collect();
        // One that cannot be read is done with as well, or it would stand before all others for ever.
        let read = |due: DueBoundary| Some(((due.boundary()?, due.at_ms), due.stands));
        let (due, stands): (Vec<_>, Vec<_>) = due.into_iter().filter_map(read).unzip();
        let keys: Vec<_> = due.iter().map(|(boundary, _)| boundary.key.clone()).collect();
        let crossed = {
            let last = last(epoch, &keys, &stands);
            cross(&due, |key| last(key).snapshot)
        };
        let snapshots = expecting(&keys, stands, &crossed.snapshots);
        let fired = SeenWrites { epoch, others: 0, snapshots, boundaries };
        let message = lease.map(|lease| Message { lease, heard: None, from_mirror: false });
        let append = Append { request: None, events: told(crossed.events).collect(), message };
        let step = async {
            match self.store.append_seen(&append, &fired).await? {
                Stands::Taken(taken) => Ok(taken),
                // Somebody was quicker; what is left is looked at again in a moment.
                Stands::Otherwise { .. } => Err(StoreError::Contended),
            }
        };
        let told = self.guarded(Turn::AtOnce, step).await?.appended.accepted;
        let fired = fired.boundaries.len();
        Ok(Fired { fired, told, waiting: waiting.saturating_sub(fired) })
    }
}

/// Whose snapshots are needed, each once.
fn keys(sightings: &Sightings) -> Vec<SnapshotKey> {
    let mut keys: Vec<_> = sightings.sightings.iter().map(|sighting| sighting.key()).collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// What was seen last, from what stands.
fn last(epoch: Option<Epoch>, keys: &[SnapshotKey], stands: &[Box<str>]) -> impl Fn(&SnapshotKey) -> Last {
    let known = keys.iter().zip(stands).map(|(key, stands)| (key.clone(), recall(epoch, stands)));
    let known: HashMap<_, _> = known.collect();
    move |key| known.get(key).cloned().unwrap_or_default()
}

/// Reads what stands: the product's streak, and what was seen: in which epoch, with the entry at which `n`, and how it looked.
/// In another epoch no streak goes on: clients refetched since, and may know of something newer that was lost here.
fn recall(epoch: Option<Epoch>, stands: &str) -> Last {
    let mut parts = stands.splitn(4, ' ');
    let [streak, seen_in, n, text] = std::array::from_fn(|_| parts.next().unwrap_or_default());
    let here = epoch.is_some_and(|epoch| epoch.to_string() == seen_in);
    let streak = Streak::parse(streak).filter(|_| here);
    Last::recall(Snapshot::from_text(text), n.parse().unwrap_or(0), streak)
}

fn told(events: Vec<Event>) -> impl Iterator<Item = NewEvent> {
    events.into_iter().map(|event| NewEvent { event, claim: None })
}

fn expecting(
    keys: &[SnapshotKey],
    stands: Vec<Box<str>>,
    next: &HashMap<SnapshotKey, Next>,
) -> Vec<SnapshotWrite> {
    let write = |(key, expected): (&SnapshotKey, Box<str>)| SnapshotWrite {
        key: key.clone(),
        expected,
        next: next.get(key).map(|next| next.snapshot.to_text().into()),
        told: next.get(key).is_some_and(|next| next.told),
    };
    keys.iter().zip(stands).map(write).collect()
}
