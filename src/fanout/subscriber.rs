//! [`Subscriber`]: one connection as the hub knows it. Does not know its transport beyond the [`Lane`].

use std::{
    collections::HashSet,
    sync::atomic::{AtomicBool, Ordering},
};

use parking_lot::Mutex;

use super::{Delivery, Lane, Parcel, slow::Debt};
use crate::model::{Position, ProductId};

/// Names a subscriber within this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SubscriberId(pub(super) u64);

/// One connection.
#[derive(Debug)]
pub struct Subscriber {
    pub(super) id: SubscriberId,
    /// It knows `resync_required`; a plain one gets empty batches in its place.
    pub(super) announced: bool,
    pub(super) lane: Box<dyn Lane>,
    pub(super) membership: Mutex<Membership>,
    /// What it missed and has not been told of yet.
    pub(super) debt: Mutex<Option<Debt>>,
    /// It is still being brought up to date, or has a debt: no position may be told to it.
    incomplete: AtomicBool,
    opening: AtomicBool,
}

/// Which rooms a connection is in. Changed only under its lock, together with the rooms themselves.
#[derive(Debug)]
pub(super) struct Membership {
    /// False once the connection is gone: nothing joins any more.
    pub(super) open: bool,
    pub(super) products: HashSet<ProductId>,
    /// The covered position of the last beat.
    pub(super) last_beat: Position,
}

impl Subscriber {
    pub(super) fn new(
        id: SubscriberId,
        announced: bool,
        lane: Box<dyn Lane>,
        opening: bool,
        covered: Position,
    ) -> Self {
        let membership = Membership { open: true, products: HashSet::new(), last_beat: covered };
        Self {
            id,
            announced,
            lane,
            membership: Mutex::new(membership),
            debt: Mutex::new(None),
            incomplete: AtomicBool::new(opening),
            opening: AtomicBool::new(opening),
        }
    }

    /// Its name.
    pub fn id(&self) -> SubscriberId {
        self.id
    }

    /// Whether every event up to the covered position was queued to it, or it was told to refetch.
    pub(super) fn is_complete(&self) -> bool {
        !self.incomplete.load(Ordering::Acquire)
    }

    pub(super) fn is_opening(&self) -> bool {
        self.opening.load(Ordering::Acquire)
    }

    /// It is being brought up to date: until [`opened`](Self::opened) no position is told to it.
    pub(super) fn opening(&self) {
        let _debt = self.debt.lock();
        self.opening.store(true, Ordering::Release);
        self.incomplete.store(true, Ordering::Release);
    }

    /// It has been brought up to date: positions may be told from here on, unless it has a debt.
    pub(super) fn opened(&self) {
        let debt = self.debt.lock();
        self.opening.store(false, Ordering::Release);
        self.incomplete.store(debt.is_some(), Ordering::Release);
    }

    /// Called with the lock on `debt` held, after it was changed.
    pub(super) fn note_debt(&self, owed: bool) {
        self.incomplete.store(owed || self.is_opening(), Ordering::Release);
    }

    /// Hands a frame to the lane.
    pub(super) fn deliver(&self, parcel: &Parcel) -> Delivery {
        self.lane.frame(parcel, self.is_complete())
    }
}
