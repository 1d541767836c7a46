//! [`Subscriber`]: one connection as the hub knows it. Does not know its transport beyond the [`Lane`].

use std::{
    collections::HashSet,
    sync::atomic::{AtomicBool, Ordering},
};

use parking_lot::Mutex;
use tokio::time::Instant;

use super::{Delivery, Lane, Parcel, slow::Debt};
use crate::{
    model::{Epoch, Position, ProductId},
    rate::{Rate, TokenBucket},
};

/// Names a subscriber within this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriberId(pub(super) u64);

/// One connection.
///
/// Locks are taken in this order: membership, a room of the hub, standing.
// In this order: what each delivery looks at lies together.
#[derive(Debug)]
#[repr(C)]
pub struct Subscriber {
    /// Whether a position may be told to it; follows `standing`, for those who only look.
    complete: AtomicBool,
    pub(super) lane: Box<dyn Lane>,
    pub(super) id: SubscriberId,
    /// It knows `resync_required`; a plain one gets empty batches in its place.
    pub(super) announced: bool,
    /// When its token expires; `None`: it showed none.
    pub(super) expires_at: Option<Instant>,
    pub(super) membership: Mutex<Membership>,
    standing: Mutex<Standing>,
    /// Bytes that may still be replayed to it.
    replays: Mutex<TokenBucket>,
}

/// Bytes replayed to one connection: two hundred products with thirty small events each, at once; beyond that refetching
/// is less for everybody.
const REPLAYED_BYTES: Rate = Rate { burst: 1024.0 * 1024.0, per_sec: 64.0 * 1024.0 };

/// Which rooms a connection is in. Changed only under its lock, together with the rooms themselves.
#[derive(Debug)]
pub(super) struct Membership {
    /// False once the connection is gone: nothing joins any more.
    pub(super) open: bool,
    pub(super) products: HashSet<ProductId>,
    /// The covered position of the last beat.
    pub(super) last_beat: Position,
}

/// What may be told to a connection of where it stands.
#[derive(Debug)]
pub(super) struct Standing {
    /// It is being brought up to date.
    pub(super) opening: bool,
    /// The life of the log it was last told of.
    pub(super) epoch: Epoch,
    /// What it missed and has not been told of yet.
    pub(super) debt: Option<Debt>,
    /// When it was last counted as a client that comes back and refetches.
    pub(super) counted: Option<Instant>,
}

impl Standing {
    /// The covered position as it may be told.
    pub(super) fn told(&self, covered: Position) -> Position {
        match &self.debt {
            Some(debt) => debt.since,
            None if self.epoch != covered.epoch => self.epoch.at(0),
            None => covered,
        }
    }

    /// The debt, begun now if there is none; due at `due` at the latest.
    pub(super) fn debt(&mut self, covered: Position, due: Instant) -> &mut Debt {
        let since = self.told(covered);
        let debt = self.debt.get_or_insert_with(|| Debt::new(since, due));
        debt.hasten(due);
        debt
    }
}

impl Subscriber {
    pub(super) fn new(
        id: SubscriberId,
        announced: bool,
        expires_at: Option<Instant>,
        lane: Box<dyn Lane>,
        covered: Position,
    ) -> Self {
        let membership = Membership { open: true, products: HashSet::new(), last_beat: covered };
        let standing = Standing { opening: false, epoch: covered.epoch, debt: None, counted: None };
        Self {
            id,
            announced,
            expires_at,
            lane,
            membership: Mutex::new(membership),
            standing: Mutex::new(standing),
            replays: Mutex::new(TokenBucket::new(REPLAYED_BYTES, Instant::now())),
            complete: AtomicBool::new(true),
        }
    }

    /// Its name.
    pub fn id(&self) -> SubscriberId {
        self.id
    }

    /// Looks at or changes its standing.
    pub(super) fn update<T>(&self, change: impl FnOnce(&mut Standing) -> T) -> T {
        let mut standing = self.standing.lock();
        let result = change(&mut standing);
        self.complete.store(!standing.opening && standing.debt.is_none(), Ordering::Release);
        result
    }

    /// Whether every event up to the covered position was queued to it, or it was told to refetch.
    pub(super) fn is_complete(&self) -> bool {
        self.complete.load(Ordering::Acquire)
    }

    /// Whether it is owed a word to refetch.
    pub(super) fn has_debt(&self) -> bool {
        self.update(|standing| standing.debt.is_some())
    }

    /// Whether that many bytes may be replayed to it. Each replay is made for one client alone, so that few bytes of
    /// asking bring many bytes of answers; one that has had its share refetches instead.
    pub(super) fn may_replay(&self, bytes: usize) -> bool {
        let (mut replays, now) = (self.replays.lock(), Instant::now());
        let may = !replays.is_spent(now);
        if may {
            replays.spend(bytes as f64, now);
        }
        may
    }

    /// It is being brought up to date: until [`opened`](Self::opened) no position is told to it.
    pub fn opening(&self) {
        self.update(|standing| standing.opening = true);
    }

    /// It has been brought up to date: positions may be told from here on, unless it has a debt.
    pub fn opened(&self) {
        self.update(|standing| standing.opening = false);
    }

    /// Hands a frame to the lane.
    pub(super) fn deliver(&self, parcel: &Parcel) -> Delivery {
        self.lane.frame(parcel, self.is_complete())
    }
}
