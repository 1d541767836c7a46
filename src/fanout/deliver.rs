//! Delivery: each batch to each member of its room, by name, with an answer for each.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use async_trait::async_trait;
use dashmap::Entry as Slot;

use super::{Delivery, Hub, Parcel, Subscriber, Transport};
use crate::{
    batch::{Closed, Downstream},
    eventlog::Head,
    index::ResyncReason,
    model::{Batch, Entry, Frame, Position},
    telemetry::ByTransport,
};

#[async_trait]
impl Downstream for Hub {
    fn applied(&self, entry: &Entry) {
        self.index.apply(entry);
    }

    async fn flush(&self, closed: Closed) {
        let (previous, members) = self.record(&closed.batch);
        let waited = self.index.log_time().micros() - closed.batch.oldest().log_time.micros();
        self.metrics.append_to_flush.record(waited as f64 / 1e6);
        let Some(members) = members else { return };
        let parcel = Parcel::new(Frame::live(&closed.batch, previous, closed.covered, 0));
        for (i, slice) in members.chunks(Self::SLICE).enumerate() {
            if i > 0 {
                tokio::task::yield_now().await;
            }
            self.deliver(slice, &parcel);
        }
    }

    fn covered(&self, position: Position, pending_windows: usize) {
        self.index.cover(position);
        self.pending_windows.store(pending_windows, Ordering::Relaxed);
        self.metrics.pending_windows.set(pending_windows as f64);
    }

    fn gap(&self, to: Position) {
        tracing::warn!(%to, "events are missing from the log; every client is told to refetch");
        // Debts first: from the moment the floor is raised a position above the gap looks complete.
        self.owe_all(ResyncReason::Gap, self.index.progress().covered());
        self.index.raise_floor(to);
        self.pay_debts();
    }

    fn new_epoch(&self, head: Head) {
        tracing::warn!(epoch = %head.position.epoch, "the log's history changed; every client is told to refetch");
        self.owe_all(ResyncReason::LogReset, head.position.epoch.at(0));
        self.index.reset(head);
        self.pay_debts();
    }
}

impl Hub {
    /// Members served before the task yields: large rooms must not hold a thread (measured: same CPU, a third off
    /// the latency tail).
    const SLICE: usize = 256;

    /// Hands a parcel to some members and notes what came of it.
    fn deliver(&self, members: &[Arc<Subscriber>], parcel: &Parcel) {
        let mut sent = [0_u64; 2];
        for subscriber in members {
            let transport = subscriber.lane.transport();
            if self.leave_out(subscriber, parcel.frame.product_id()) {
                self.failed(transport, &self.metrics.deliveries_full);
                continue;
            }
            match subscriber.deliver(parcel) {
                Delivery::Sent => sent[transport as usize] += 1,
                Delivery::Full => {
                    self.owe(subscriber, parcel.frame.product_id(), ResyncReason::Slow, Duration::ZERO);
                    self.failed(transport, &self.metrics.deliveries_full);
                }
                Delivery::Gone => {
                    self.failed(transport, &self.metrics.deliveries_gone);
                    self.disconnect(subscriber.id);
                }
            }
        }
        self.metrics.deliveries.socketio.increment(sent[Transport::SocketIo as usize]);
        self.metrics.deliveries.sse.increment(sent[Transport::Sse as usize]);
    }

    fn failed(&self, transport: Transport, counters: &ByTransport<metrics::Counter>) {
        match transport {
            Transport::SocketIo => counters.socketio.increment(1),
            Transport::Sse => counters.sse.increment(1),
        }
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
