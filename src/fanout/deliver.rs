//! Delivery: each batch to each member of its room, by name, with an answer for each.

use std::sync::{Arc, atomic::Ordering};

use async_trait::async_trait;
use dashmap::Entry as Slot;

use super::{Delivery, Hub, Parcel, Subscriber, Told};
use crate::{
    batch::{Closed, Downstream},
    eventlog::Head,
    index::ResyncReason,
    model::{Batch, Entry, Frame, Position, ProductId},
    telemetry::Transport,
};

#[async_trait]
impl Downstream for Hub {
    fn applied(&self, entries: &[Arc<Entry>]) {
        if let Some(newest) = entries.last() {
            self.index.apply(newest);
        }
    }

    async fn flush(&self, closed: Closed) -> usize {
        let (previous, members) = self.record(&closed.batch);
        let left = self.index.log_time();
        let waited = left.micros() - closed.batch.oldest().log_time.micros();
        self.metrics.append_to_flush.record(waited as f64 / 1e6);
        let Some(members) = members else { return 0 };
        let spread_ms = self.spread_of_batch(closed.batch.product_id(), members.len());
        let parcel = Parcel::new(Frame::live(&closed.batch, previous, closed.covered, spread_ms));
        let mut told = Told::default();
        for (i, slice) in members.chunks(Self::SLICE).enumerate() {
            if i > 0 {
                tokio::task::yield_now().await;
            }
            told = told.and(self.deliver(slice, &parcel));
        }
        self.note_flush(&closed.batch, left, told);
        self.index.cover(closed.covered);
        members.len()
    }

    fn covered(&self, position: Position, pending_windows: usize) {
        self.index.cover(position);
        self.pending_windows.store(pending_windows, Ordering::Relaxed);
        self.metrics.pending_windows.set(pending_windows as f64);
    }

    fn gap(&self, to: Position) {
        tracing::warn!(%to, "events are missing from the log; every client is told to refetch");
        // Who joins from here on is judged by the new floor; who joined before is owed; only then is the gap covered.
        self.index.raise_floor(to);
        self.owe_all(ResyncReason::Gap);
        self.index.skip_to(to);
    }

    fn input_gap(&self, at: Position, product_ids: &[ProductId]) {
        tracing::warn!(%at, products = product_ids.len(), "an input lost events; clients are told to refetch");
        self.index.raise_floor(at);
        if product_ids.is_empty() {
            self.owe_all(ResyncReason::Gap);
        }
        for product_id in product_ids {
            // Under the room's lock: who joins after it is judged by the new floor.
            if let Slot::Occupied(room) = self.rooms.entry(product_id.clone()) {
                let spread_ms = self.spread_of_words(room.get().len());
                let reason = ResyncReason::Gap;
                room.get().iter().for_each(|member| self.owe_within(member, product_id, reason, spread_ms));
            }
        }
        self.index.skip_to(at);
    }

    fn new_epoch(&self, head: Head) {
        tracing::warn!(epoch = %head.position.epoch, "the log's history changed; every client is told to refetch");
        self.metrics.log_resets.increment(1);
        // No position of the new epoch is told to a connection before the word that this makes it owed.
        self.index.reset(head);
        self.owe_all(ResyncReason::LogReset);
    }
}

impl Hub {
    /// Members served before the task yields: large rooms must not hold a thread (measured: same CPU, a third off
    /// the latency tail).
    const SLICE: usize = 256;

    /// Hands a parcel to some members and notes what came of it.
    fn deliver(&self, members: &[Arc<Subscriber>], parcel: &Parcel) -> Told {
        let mut told = Told::default();
        for subscriber in members {
            let transport = subscriber.lane.transport();
            if self.leave_out(subscriber, parcel.frame.product_id()) {
                self.metrics.deliveries_owed.of(transport).increment(1);
                told.owed += 1;
                continue;
            }
            match subscriber.deliver(parcel) {
                Delivery::Sent => told.sent[transport as usize] += 1,
                Delivery::Full => {
                    self.owe(subscriber, parcel.frame.product_id(), ResyncReason::Slow);
                    self.metrics.deliveries_full.of(transport).increment(1);
                    told.slow += 1;
                }
                Delivery::Gone => {
                    self.metrics.deliveries_gone.of(transport).increment(1);
                    told.gone += 1;
                    self.disconnect(subscriber.id);
                }
            }
        }
        for transport in Transport::ALL {
            self.metrics.deliveries.of(transport).increment(told.sent[transport as usize].into());
        }
        told
    }

    /// Records a batch and takes the members of that moment, in one critical section.
    fn record(&self, batch: &Batch) -> (Position, Option<Arc<Vec<Arc<Subscriber>>>>) {
        let slot = self.rooms.entry(batch.product_id().clone());
        let previous = self.index.record(batch);
        match slot {
            Slot::Occupied(room) => (previous, Some(Arc::clone(room.get()))),
            Slot::Vacant(_) => (previous, None),
        }
    }
}
