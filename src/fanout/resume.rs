//! Resuming: what a client that comes back is answered, all of it or the word to refetch.
//!
//! What was missed is the index's to say; this queues it, in the product's critical section.

use std::{sync::Arc, time::Duration};

use super::{Delivery, Hub, Parcel, Subscriber, slow::Untold};
use crate::{
    index::{Answer, Missed, ResyncReason, Since},
    model::{Batch, Entry, Frame, ProductId},
};

/// What a client is answered for one product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It joined and said nothing of where it was.
    Joined,
    /// It has everything.
    UpToDate,
    /// What it missed was queued.
    Events,
    /// It must be told to refetch, which the caller does ([`Hub::answer_lost`]).
    Resync(ResyncReason),
    /// It knows more than this pod; it joined, if it asked to. Wait ([`wait_applied`](crate::index::Index::wait_applied)) and ask again.
    Ahead,
}

impl Outcome {
    /// The name on the wire; one that is [`Ahead`](Self::Ahead) for good is told to refetch.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Joined => "joined",
            Self::UpToDate => "up_to_date",
            Self::Events => "events",
            Self::Resync(_) | Self::Ahead => "resync_required",
        }
    }
}

impl Hub {
    /// Answers what was missed, without joining.
    pub fn resume(&self, subscriber: &Arc<Subscriber>, product_id: &ProductId, since: Since) -> Outcome {
        // Held empty or not, the room's entry is the product's critical section.
        let _section = self.rooms.entry(product_id.clone());
        self.answer(subscriber, product_id, since)
    }

    /// Tells a client to refetch products it asked about, one word a reason. Where it has no room now, it is told
    /// when it has.
    pub fn answer_lost(&self, subscriber: &Arc<Subscriber>, lost: &[(ResyncReason, ProductId)]) {
        for reason in ResyncReason::ALL {
            let of_reason = lost.iter().filter(|(r, _)| *r == reason);
            let products: Vec<_> = of_reason.map(|(_, product_id)| product_id.clone()).collect();
            if !products.is_empty() {
                self.answer_resync(subscriber, reason, products);
            }
        }
    }

    fn answer_resync(&self, subscriber: &Arc<Subscriber>, reason: ResyncReason, products: Vec<ProductId>) {
        let owe = |products: &[ProductId], wait| {
            products.iter().for_each(|p| self.owe(subscriber, p, reason, wait));
        };
        let spread_ms = self.spread_ms();
        if !subscriber.announced && spread_ms > 0 {
            // It knows no spread, so its word waits its turn here.
            return owe(&products, Duration::from_millis(rand::random_range(0..spread_ms)));
        }
        let covered = self.covered_for(subscriber);
        match self.tell(subscriber, reason, Some(products), covered, subscriber.is_complete()) {
            Ok(()) => {}
            Err(Untold::Full { rest }) => owe(&rest.unwrap_or_default(), Duration::ZERO),
            Err(Untold::Gone) => self.disconnect(subscriber.id),
        }
    }

    /// Queues what was missed. The caller holds the product's critical section.
    pub(super) fn answer(
        &self,
        subscriber: &Arc<Subscriber>,
        product_id: &ProductId,
        since: Since,
    ) -> Outcome {
        let outcome = match self.index.resume(product_id, since) {
            Answer::UpToDate => Outcome::UpToDate,
            Answer::Resync(reason) => Outcome::Resync(reason),
            Answer::Ahead => Outcome::Ahead,
            Answer::Events(missed) => self.replay(subscriber, missed),
        };
        self.metrics.resumed(match outcome {
            Outcome::Ahead => "ahead",
            told => told.as_str(),
        });
        outcome
    }

    /// All or nothing: if the queue fills up on the way, the client is told to refetch instead.
    fn replay(&self, subscriber: &Arc<Subscriber>, missed: Missed) -> Outcome {
        let mut previous = missed.previous;
        for batch in self.batches(missed.entries) {
            let parcel = Parcel::new(Frame::replay(&batch, previous));
            if subscriber.lane.frame(&parcel, false) != Delivery::Sent {
                return Outcome::Resync(ResyncReason::Slow);
            }
            previous = batch.cursor();
        }
        Outcome::Events
    }

    fn batches(&self, entries: Vec<Arc<Entry>>) -> Vec<Batch> {
        let mut batches: Vec<Batch> = Vec::new();
        for entry in entries {
            let room = |b: &Batch| {
                b.count() < self.config.batch_events_max
                    && b.encoded_bytes() + entry.event.encoded_len() <= self.config.batch_bytes_max
            };
            match batches.last_mut() {
                Some(batch) if room(batch) => batch.push(entry),
                _ => batches.push(Batch::of(entry)),
            }
        }
        batches
    }
}
