//! When sales begin and end: which instants to keep, and what is told when one has come. Pure; holds no timer.

use std::{collections::HashMap, fmt};

use super::{
    Next,
    snapshot::{Look, Shown, Snapshot, SnapshotKey},
    wording::Wording,
};
use crate::model::{Event, LogTime, Sale};

/// The begin or the end of a product's sale.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Boundary {
    /// Whose sale.
    pub key: SnapshotKey,
    /// Which end of it.
    pub edge: Edge,
}

/// Which end of a sale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Edge {
    /// It begins.
    Start,
    /// It is over.
    End,
}

/// When a boundary is to come. `None`: never.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// Which.
    pub boundary: Boundary,
    /// Milliseconds since 1970; exact in every number that has to hold it.
    pub at_ms: Option<i64>,
}

impl Boundary {
    /// Reads what [`Display`](fmt::Display) printed.
    pub fn parse(text: &str) -> Option<Self> {
        let (edge, key) = match text.split_once('/')? {
            ("start", key) => (Edge::Start, key),
            ("end", key) => (Edge::End, key),
            _ => return None,
        };
        Some(Self { key: SnapshotKey::parse(key)?, edge })
    }
}

impl fmt::Display for Boundary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let edge = match self.edge {
            Edge::Start => "start",
            Edge::End => "end",
        };
        write!(f, "{edge}/{}", self.key)
    }
}

/// The sale as it stands now. The shop's word may be from before an instant that has come since, so the instants decide
/// where they can; a sale that is over is none.
pub(super) fn standing(sale: &Sale, now: LogTime) -> Option<Sale> {
    if sale.ends_at.is_some_and(|end| end <= now) {
        return None;
    }
    let begun = sale.starts_at.is_some_and(|start| start <= now);
    Some(Sale { active: sale.active || begun, ..sale.clone() })
}

/// The boundaries to be kept, where they are others than before. One that has passed is dropped by whoever keeps them.
pub(super) fn planned(key: &SnapshotKey, last: &Snapshot, next: &Snapshot) -> Vec<Planned> {
    let instants = |snapshot: &Snapshot| match &snapshot.look {
        Look::Shown(Shown { sale: Some(sale), .. }) => {
            Some((sale.starts_at.map(millis), sale.ends_at.map(millis)))
        }
        Look::Shown(_) | Look::Hidden => Some((None, None)),
        Look::Unknown => None,
    };
    let (before, after) = (instants(last), instants(next));
    let Some((starts, ends)) = after.filter(|_| before != after) else { return Vec::new() };
    [(Edge::Start, starts), (Edge::End, ends)]
        .map(|(edge, at_ms)| Planned { boundary: Boundary { key: key.clone(), edge }, at_ms })
        .into()
}

/// What is told of boundaries that have come.
#[derive(Debug, Default)]
pub(crate) struct Crossed {
    /// To append.
    pub(crate) events: Vec<Event>,
    /// What is to be kept.
    pub(crate) snapshots: HashMap<SnapshotKey, Next>,
}

/// Takes boundaries that have come, in the order of their instants.
///
/// The shop may have told already what an instant brings; then nothing is told. Where nobody knows what the product looked
/// like, at least that its sale begins or ends is.
pub(crate) fn cross(due: &[(Boundary, i64)], last: impl Fn(&SnapshotKey) -> Snapshot) -> Crossed {
    let mut crossed = Crossed::default();
    for (boundary, at_ms) in due {
        let key = &boundary.key;
        let known = |next: &Next| next.snapshot.clone();
        let mut snapshot = crossed.snapshots.get(key).map_or_else(|| last(key), known);
        let wording = Wording { key, at: LogTime::from_micros(at_ms.saturating_mul(1_000)) };
        match &mut snapshot.look {
            Look::Unknown => crossed.events.push(wording.sale(Some(&bare(boundary.edge, wording.at)))),
            Look::Hidden => {}
            Look::Shown(shown) => {
                let Some(told) = step(&mut shown.sale, boundary.edge, *at_ms) else { continue };
                crossed.events.extend(told.map(|sale| wording.sale(Some(&sale))));
                // What else the instant changed, the price above all, only the shop can tell.
                crossed.snapshots.insert(key.clone(), Next { snapshot, told: false });
            }
        }
    }
    crossed
}

/// Moves a sale over one of its boundaries. `None`: it is none of its boundaries. `Some(None)`: nothing that was not told.
fn step(sale: &mut Option<Sale>, edge: Edge, at_ms: i64) -> Option<Option<Sale>> {
    let known = sale.as_mut()?;
    let was_active = known.active;
    match edge {
        Edge::Start => {
            known.starts_at.filter(|at| millis(*at) == at_ms)?;
            known.active = true;
            Some((!was_active).then(|| known.clone()))
        }
        Edge::End => {
            known.ends_at.filter(|at| millis(*at) == at_ms)?;
            let over = Sale { active: false, ..known.clone() };
            *sale = None;
            Some(was_active.then_some(over))
        }
    }
}

/// All that a boundary alone says of its sale.
fn bare(edge: Edge, at: LogTime) -> Sale {
    let (active, starts_at, ends_at) = match edge {
        Edge::Start => (true, Some(at), None),
        Edge::End => (false, None, Some(at)),
    };
    Sale { active, starts_at, ends_at, discount: None }
}

/// The first millisecond at which an instant has come.
fn millis(at: LogTime) -> i64 {
    at.micros().saturating_add(999) / 1_000
}
