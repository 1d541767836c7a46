//! Resuming: what a client that comes back is answered, all of it or the word to refetch.
//!
//! What was missed is the index's to say; this queues it, in the product's critical section.

use std::sync::Arc;

use super::{Delivery, Hub, Parcel, Subscriber};
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
    /// It is owed a word to refetch ([`Hub::pay`] tells it now, if there is room).
    Resync,
    /// It knows more than this pod. Wait ([`wait_applied`](crate::index::Index::wait_applied)) and ask again.
    Ahead,
}

/// What is done about a client that knows more than this pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfAhead {
    /// It is told so, and waits.
    Wait,
    /// It has waited: it knows of events that never came, and is told to refetch.
    GiveUp,
}

impl Outcome {
    /// The name on the wire; one that is [`Ahead`](Self::Ahead) for good is told to refetch.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Joined => "joined",
            Self::UpToDate => "up_to_date",
            Self::Events => "events",
            Self::Resync | Self::Ahead => "resync_required",
        }
    }
}

impl Hub {
    /// Answers what was missed, without joining.
    pub fn resume(
        &self,
        subscriber: &Arc<Subscriber>,
        product_id: &ProductId,
        since: Since,
        if_ahead: IfAhead,
    ) -> Outcome {
        let tracked = subscriber.membership.lock().products.contains(product_id);
        // Held empty or not, the room's entry is the product's critical section.
        let _section = self.rooms.entry(product_id.clone());
        match self.answer(subscriber, product_id, since, if_ahead) {
            Ok(outcome) => outcome,
            Err(reason) if tracked => {
                self.owe(subscriber, product_id, reason);
                Outcome::Resync
            }
            Err(reason) => {
                self.tell_untracked(subscriber, product_id, reason);
                Outcome::Resync
            }
        }
    }

    /// Queues what was missed; `Err`: the client must be told to refetch. The caller holds the product's critical
    /// section, and makes the word a debt in it: no live batch may come in between.
    pub(super) fn answer(
        &self,
        subscriber: &Arc<Subscriber>,
        product_id: &ProductId,
        since: Since,
        if_ahead: IfAhead,
    ) -> Result<Outcome, ResyncReason> {
        let answer = match self.index.resume(product_id, since) {
            Answer::UpToDate => Ok(Outcome::UpToDate),
            Answer::Resync(reason) => Err(reason),
            Answer::Ahead if if_ahead == IfAhead::Wait => Ok(Outcome::Ahead),
            Answer::Ahead => Err(ResyncReason::Gap),
            Answer::Events(missed) => self.replay(subscriber, missed),
        };
        let outcome = match answer {
            Ok(Outcome::Ahead) => "ahead",
            Ok(outcome) => outcome.as_str(),
            Err(_) => Outcome::Resync.as_str(),
        };
        self.metrics.resumes.of(outcome).increment(1);
        answer
    }

    /// Batches replayed of one product at most. A client that missed more refetches, which it would do once anyway;
    /// so the answers for 200 products and the acknowledgement behind them fit into one connection's queue.
    const REPLAY_BATCHES_MAX: usize = 2;

    /// All or nothing: if it is too much, or the queue fills up on the way, the client is told to refetch instead.
    fn replay(&self, subscriber: &Arc<Subscriber>, missed: Missed) -> Result<Outcome, ResyncReason> {
        let mut previous = missed.previous;
        let batches = self.batches(missed.entries);
        if batches.len() > Self::REPLAY_BATCHES_MAX {
            return Err(ResyncReason::Expired);
        }
        if !subscriber.may_replay(batches.iter().map(Batch::encoded_bytes).sum()) {
            return Err(ResyncReason::Expired);
        }
        for batch in batches {
            let parcel = Parcel::new(Frame::replay(&batch, previous));
            if subscriber.lane.frame(&parcel, false) != Delivery::Sent {
                return Err(ResyncReason::Slow);
            }
            previous = batch.cursor();
        }
        Ok(Outcome::Events)
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
