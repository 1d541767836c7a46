//! Debts: what a connection missed and must be told of. A debt is a bounded set of products, never a queue.
//!
//! A full connection is not waited for and not sent the same batch again: when it has drained it gets one word to
//! refetch. Until then no position is told to it, and no later batch of what it missed is sent, so that a cut in
//! between cannot make it resume behind its gap.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::{Delivery, Hub, Parcel, Resync, Subscriber};
use crate::{
    index::ResyncReason,
    model::{Frame, Position, ProductId},
};

/// What a connection is owed. Only products it tracks, so it is bounded as they are.
#[derive(Debug)]
pub(super) struct Debt {
    /// Everything it tracks. Only for announced clients: plain ones are told product by product.
    all: Option<ResyncReason>,
    products: BTreeMap<ProductId, ResyncReason>,
    /// The covered position when the debt began: all that may be told of a position until it is paid.
    pub(super) since: Position,
    /// Not before this moment.
    due: Instant,
    /// Since when there was no room to tell it.
    full_since: Option<Instant>,
}

impl Debt {
    pub(super) fn new(since: Position, due: Instant) -> Self {
        Self { all: None, products: BTreeMap::new(), since, due, full_since: None }
    }

    /// It is due at `due` at the latest.
    pub(super) fn hasten(&mut self, due: Instant) {
        self.due = self.due.min(due);
    }

    /// Whether the client has taken nothing for too long. `before`: products it was owed a word about before
    /// it was tried just now.
    fn is_stuck(&mut self, before: usize, now: Instant) -> bool {
        if self.products.len() < before {
            self.full_since = None;
        }
        now.duration_since(*self.full_since.get_or_insert(now)) >= STUCK_AFTER
    }

    /// The subscriber left this room; what it missed there concerns it no more.
    pub(super) fn forget(&mut self, product_id: &ProductId) {
        self.products.remove(product_id);
    }
}

/// What came of paying a debt.
enum Paid {
    /// Nothing is owed any more.
    All,
    /// It is not due, or there is no room to tell it.
    Waits,
    /// There has been no room for too long.
    Stuck,
    /// The connection is no more.
    Gone,
}

/// How often debts are looked at. A slow connection drains in its own time; a quarter second later is soon enough.
const PAY_EVERY: Duration = Duration::from_millis(250);
/// A client that takes nothing for so long is ended, so that it comes back (contract section 8).
const STUCK_AFTER: Duration = Duration::from_secs(10);
/// Debtors looked at before the task yields.
const SLICE: usize = 256;

/// Pays debts until `stop`: at once when history broke, and regularly for those who drain.
pub async fn run_debts(hub: Arc<Hub>, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(PAY_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = hub.debts_due.notified() => {}
            () = stop.cancelled() => return,
        }
        hub.pay_debts().await;
    }
}

impl Hub {
    /// Notes that `subscriber` missed something of a product it tracks.
    ///
    /// Who is slow was counted among the viewers of the batch it missed, and has waited for its queue to drain: it adds
    /// nothing to the refetches expected, and a plain one is told as soon as it has room.
    pub(super) fn owe(&self, subscriber: &Arc<Subscriber>, product_id: &ProductId, reason: ResyncReason) {
        let spread_ms = if reason == ResyncReason::Slow { 0 } else { self.spread_of_answer(subscriber) };
        self.owe_within(subscriber, product_id, reason, spread_ms);
    }

    /// The same, for a client that was counted. A plain one waits its turn in the spread, because it knows none.
    pub(super) fn owe_within(
        &self,
        subscriber: &Arc<Subscriber>,
        product_id: &ProductId,
        reason: ResyncReason,
        spread_ms: u64,
    ) {
        let waits = !subscriber.announced && spread_ms > 0;
        let wait_ms = if waits { rand::random_range(0..spread_ms) } else { 0 };
        let due = Instant::now() + Duration::from_millis(wait_ms);
        let covered = self.index.progress().covered();
        subscriber.update(|standing| {
            let debt = standing.debt(covered, due);
            debt.products.entry(product_id.clone()).or_insert(reason);
        });
        self.debtors.lock().insert(subscriber.id, Arc::clone(subscriber));
    }

    /// Notes that every subscriber missed something of everything it tracks. Announced clients are told at once and
    /// spread themselves; plain ones are told evenly over the spread.
    pub(super) fn owe_all(&self, reason: ResyncReason) {
        let everyone = self.subscribers(|_| true);
        let spread = Duration::from_millis(self.spread_of_words(everyone.len()));
        let count = u32::try_from(everyone.len()).unwrap_or(u32::MAX).max(1);
        let covered = self.index.progress().covered();
        let now = Instant::now();
        for (i, subscriber) in (0_u32..).zip(everyone) {
            let tracked = subscriber.membership.lock().products.clone();
            let wait = if subscriber.announced { Duration::ZERO } else { spread * i / count };
            subscriber.update(|standing| {
                let debt = standing.debt(covered, now + wait);
                if subscriber.announced {
                    debt.all = Some(reason);
                } else {
                    debt.products.extend(tracked.into_iter().map(|product_id| (product_id, reason)));
                }
            });
            self.debtors.lock().insert(subscriber.id, subscriber);
        }
        self.debts_due.notify_one();
    }

    /// Whether a live batch of `product_id` is to be left out, because the subscriber is owed a word about that product.
    ///
    /// Delivered before that word, the batch would hand the client a position beyond what it missed. The word comes
    /// after the change and makes up for it as well; the change only makes it due at once.
    pub(super) fn leave_out(&self, subscriber: &Subscriber, product_id: &ProductId) -> bool {
        if subscriber.is_complete() {
            return false;
        }
        subscriber.update(|standing| match &mut standing.debt {
            Some(debt) if debt.all.is_some() || debt.products.contains_key(product_id) => {
                debt.due = Instant::now();
                true
            }
            _ => false,
        })
    }

    /// Tells every debtor that has room what it is owed.
    pub(super) async fn pay_debts(&self) {
        let debtors: Vec<_> = self.debtors.lock().values().cloned().collect();
        for slice in debtors.chunks(SLICE) {
            slice.iter().for_each(|subscriber| self.pay(subscriber));
            tokio::task::yield_now().await;
        }
    }

    /// Tells a debtor what it is owed, if that is due and it has room; otherwise it stays a debtor.
    pub fn pay(&self, subscriber: &Arc<Subscriber>) {
        // Read before the lock: a batch that this position covers was delivered, or became a debt, before it moved.
        let covered = self.index.progress().covered();
        let paid = subscriber.update(|standing| {
            let opening = standing.opening;
            let Some(debt) = standing.debt.as_mut() else { return Paid::All };
            let now = Instant::now();
            if debt.due > now {
                return Paid::Waits;
            }
            let before = debt.products.len();
            match self.tell(subscriber, debt, covered, !opening) {
                Delivery::Sent => {
                    standing.debt = None;
                    standing.epoch = covered.epoch;
                    Paid::All
                }
                Delivery::Full if debt.is_stuck(before, now) => Paid::Stuck,
                Delivery::Full => Paid::Waits,
                Delivery::Gone => Paid::Gone,
            }
        });
        match paid {
            Paid::All => {
                self.debtors.lock().remove(&subscriber.id);
                // A debt made between the payment and the line above must not lose its place.
                if subscriber.has_debt() {
                    self.debtors.lock().insert(subscriber.id, Arc::clone(subscriber));
                }
            }
            Paid::Waits => {}
            Paid::Stuck => self.cut(subscriber.id, "slow"),
            Paid::Gone => self.disconnect(subscriber.id),
        }
    }

    /// Tells a client of its debt, in the form it knows. What was told is struck out, so that a client with little
    /// room is told bit by bit.
    fn tell(&self, subscriber: &Subscriber, debt: &mut Debt, covered: Position, complete: bool) -> Delivery {
        if let Some(reason) = debt.all {
            debt.products.clear();
            return self.tell_announced(subscriber, reason, None, covered, complete);
        }
        for reason in ResyncReason::ALL {
            let of_reason = debt.products.iter().filter(|(_, r)| **r == reason);
            let products: Vec<_> = of_reason.map(|(product_id, _)| product_id.clone()).collect();
            if products.is_empty() {
                continue;
            }
            if subscriber.announced {
                let last = complete && products.len() == debt.products.len();
                match self.tell_announced(subscriber, reason, Some(products), covered, last) {
                    Delivery::Sent => debt.products.retain(|_, r| *r != reason),
                    failed => return failed,
                }
                continue;
            }
            for product_id in products {
                match self.tell_plain(subscriber, reason, &product_id, covered) {
                    Delivery::Sent => debt.products.remove(&product_id),
                    failed => return failed,
                };
            }
        }
        Delivery::Sent
    }

    /// Tells a client to refetch a product it asked about but does not track. If it has no room, its own timeout tells.
    pub(super) fn tell_untracked(
        &self,
        subscriber: &Subscriber,
        product_id: &ProductId,
        reason: ResyncReason,
    ) {
        let covered = self.covered_for(subscriber);
        self.spread_of_answer(subscriber);
        let _told = if subscriber.announced {
            self.tell_announced(subscriber, reason, Some(vec![product_id.clone()]), covered, false)
        } else {
            self.tell_plain(subscriber, reason, product_id, covered)
        };
    }

    fn tell_announced(
        &self,
        subscriber: &Subscriber,
        reason: ResyncReason,
        product_ids: Option<Vec<ProductId>>,
        cursor: Position,
        complete: bool,
    ) -> Delivery {
        let resync = Resync { reason, product_ids, cursor, spread_ms: self.spread_ms() };
        let told = subscriber.lane.resync(&resync, complete);
        if told == Delivery::Sent {
            self.metrics.resyncs.of(reason.as_str()).increment(1);
        }
        told
    }

    fn tell_plain(
        &self,
        subscriber: &Subscriber,
        reason: ResyncReason,
        product_id: &ProductId,
        covered: Position,
    ) -> Delivery {
        let parcel = Parcel::new(Frame::empty(product_id, covered, self.index.log_time()));
        let told = subscriber.lane.frame(&parcel, false);
        if told == Delivery::Sent {
            self.metrics.resyncs.of(reason.as_str()).increment(1);
        }
        told
    }

    /// The covered position as this subscriber may be told it. With a debt it stands still, and it does not move into
    /// a new epoch before the client was told that history changed.
    pub fn covered_for(&self, subscriber: &Subscriber) -> Position {
        let covered = self.index.progress().covered();
        subscriber.update(|standing| standing.told(covered))
    }
}
