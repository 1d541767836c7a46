//! Debts: what a connection missed and must be told of. A debt is a bounded set of products, never a queue.
//!
//! A full connection is not waited for and not sent the same batch again: when it has drained it gets one word to
//! refetch. Until then no position is told to it, and no later batch of what it missed is sent, so that a cut in
//! between cannot make it resume behind its gap.

use std::{collections::HashSet, sync::Arc, time::Duration};

use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::{Delivery, Hub, Parcel, Resync, Subscriber};
use crate::{
    index::ResyncReason,
    model::{Frame, Position, ProductId},
};

/// What a connection is owed.
#[derive(Debug)]
pub(super) struct Debt {
    reason: ResyncReason,
    scope: Scope,
    /// The covered position when the debt began: all that may be told of a position until it is paid.
    since: Position,
    /// Not before this moment.
    due: Instant,
}

#[derive(Debug)]
enum Scope {
    /// Everything it tracks.
    All,
    /// These products; at most as many as one connection may track.
    Products(HashSet<ProductId>),
}

/// Why a client was not told, or not of everything.
#[derive(Debug)]
pub(super) enum Untold {
    /// Its queue is full; these are left (`None`: all it tracks).
    Full {
        /// What it was not told of.
        rest: Option<Vec<ProductId>>,
    },
    /// Nobody is there any more.
    Gone,
}

/// How often debts are looked at. A slow connection drains in its own time; a quarter second later is soon enough.
const PAY_EVERY: Duration = Duration::from_millis(250);

/// Pays debts until `stop`.
pub async fn run_debts(hub: Arc<Hub>, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(PAY_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => hub.pay_debts(),
            () = stop.cancelled() => return,
        }
    }
}

impl Hub {
    /// Notes that `subscriber` missed something of `product_id`, and is to be told after `wait`.
    pub(super) fn owe(
        &self,
        subscriber: &Arc<Subscriber>,
        product_id: &ProductId,
        reason: ResyncReason,
        wait: Duration,
    ) {
        let since = self.index.progress().covered();
        let mut debt = subscriber.debt.lock();
        let debt_ref = debt.get_or_insert_with(|| Debt {
            reason,
            scope: Scope::Products(HashSet::new()),
            since,
            due: Instant::now() + wait,
        });
        if let Scope::Products(products) = &mut debt_ref.scope {
            products.insert(product_id.clone());
        }
        subscriber.note_debt(true);
        drop(debt);
        self.debtors.lock().insert(subscriber.id, Arc::clone(subscriber));
    }

    /// Whether a live batch of `product_id` is to be left out, because the subscriber is owed a word about that product.
    ///
    /// Delivered before that word, the batch would hand the client a position beyond what it missed. The word comes
    /// after the change and makes up for it as well; the change only makes it due at once.
    pub(super) fn leave_out(&self, subscriber: &Subscriber, product_id: &ProductId) -> bool {
        if subscriber.is_complete() {
            return false;
        }
        let mut debt = subscriber.debt.lock();
        let Some(debt) = debt.as_mut() else {
            return false;
        };
        let owed = match &debt.scope {
            Scope::All => true,
            Scope::Products(products) => products.contains(product_id),
        };
        if owed {
            debt.due = Instant::now();
        }
        owed
    }

    /// Notes that every subscriber missed something of everything it tracks. Announced clients are told at once and
    /// spread themselves; plain ones know no spread, so their words leave evenly over it.
    pub(super) fn owe_all(&self, reason: ResyncReason, since: Position) {
        let spread = Duration::from_millis(self.spread_ms());
        let everyone: Vec<_> = self.subscribers.iter().map(|s| Arc::clone(s.value())).collect();
        let count = u32::try_from(everyone.len()).unwrap_or(u32::MAX).max(1);
        let now = Instant::now();
        let mut debtors = self.debtors.lock();
        for (i, subscriber) in (0_u32..).zip(everyone) {
            let wait = if subscriber.announced { Duration::ZERO } else { spread * i / count };
            let mut debt = subscriber.debt.lock();
            *debt = Some(Debt { reason, scope: Scope::All, since, due: now + wait });
            subscriber.note_debt(true);
            drop(debt);
            debtors.insert(subscriber.id, subscriber);
        }
    }

    /// Tells every debtor that has room what it is owed.
    pub fn pay_debts(&self) {
        let debtors: Vec<_> = self.debtors.lock().values().cloned().collect();
        for subscriber in debtors {
            if self.pay(&subscriber) {
                self.debtors.lock().remove(&subscriber.id);
                // A debt made between the payment and the line above must not lose its place.
                if subscriber.debt.lock().is_some() {
                    self.debtors.lock().insert(subscriber.id, subscriber);
                }
            }
        }
    }

    /// True: nothing is owed any more, or the subscriber is gone.
    fn pay(&self, subscriber: &Arc<Subscriber>) -> bool {
        // Read before the lock: a batch that this position covers was delivered, or became a debt, before it moved.
        let covered = self.index.progress().covered();
        let mut slot = subscriber.debt.lock();
        let Some(debt) = slot.as_mut() else {
            return true;
        };
        if debt.due > Instant::now() {
            return false;
        }
        let products = match &debt.scope {
            Scope::All => None,
            Scope::Products(products) => Some(products.iter().cloned().collect()),
        };
        let reason = debt.reason;
        match self.tell(subscriber, reason, products, covered, !subscriber.is_opening()) {
            Ok(()) => {
                *slot = None;
                subscriber.note_debt(false);
                true
            }
            Err(Untold::Full { rest }) => {
                debt.scope = rest.map_or(Scope::All, |rest| Scope::Products(rest.into_iter().collect()));
                false
            }
            Err(Untold::Gone) => {
                drop(slot);
                self.disconnect(subscriber.id);
                true
            }
        }
    }

    /// Tells a client to refetch, in the form it knows; `products`: `None` is all it tracks.
    pub(super) fn tell(
        &self,
        subscriber: &Subscriber,
        reason: ResyncReason,
        products: Option<Vec<ProductId>>,
        covered: Position,
        complete: bool,
    ) -> Result<(), Untold> {
        if subscriber.announced {
            let spread_ms = self.spread_ms();
            let resync = Resync { reason, product_ids: products, cursor: covered, spread_ms, complete };
            return match subscriber.lane.resync(&resync) {
                Delivery::Sent => {
                    self.metrics.resynced(reason.as_str());
                    Ok(())
                }
                Delivery::Full => Err(Untold::Full { rest: resync.product_ids }),
                Delivery::Gone => Err(Untold::Gone),
            };
        }
        let products =
            products.unwrap_or_else(|| subscriber.membership.lock().products.iter().cloned().collect());
        let now = self.index.log_time();
        for (i, product_id) in products.iter().enumerate() {
            let parcel = Parcel::new(Frame::empty(product_id, covered, now));
            match subscriber.lane.frame(&parcel, false) {
                Delivery::Sent => {}
                Delivery::Full => {
                    return Err(Untold::Full { rest: Some(products[i..].to_vec()) });
                }
                Delivery::Gone => return Err(Untold::Gone),
            }
        }
        self.metrics.resynced(reason.as_str());
        Ok(())
    }

    /// The covered position as this subscriber may be told it: with a debt it stands still.
    pub fn covered_for(&self, subscriber: &Subscriber) -> Position {
        let covered = self.index.progress().covered();
        subscriber.debt.lock().as_ref().map_or(covered, |debt| debt.since)
    }
}
