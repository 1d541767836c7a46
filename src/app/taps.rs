//! What the batcher hands on goes to the hub; on the way the input channels see how far the log was read, and which of
//! the messages they heard are in it. Only passes on.

use std::sync::Arc;

use async_trait::async_trait;

use crate::{
    batch::{Closed, Downstream},
    eventlog::Head,
    fanout::Hub,
    ingest::channels::Listener,
    model::{Entry, Position, ProductId},
};

/// The hub, and the listener that looks on.
pub(super) struct Tapped {
    hub: Arc<Hub>,
    listener: Arc<Listener>,
}

impl Tapped {
    /// `applied`: how far the log was read already.
    pub(super) fn new(hub: Arc<Hub>, listener: Arc<Listener>, applied: Position) -> Self {
        listener.applied(applied);
        Self { hub, listener }
    }
}

#[async_trait]
impl Downstream for Tapped {
    fn applied(&self, entries: &[Arc<Entry>]) {
        entries.iter().filter_map(|entry| entry.message).for_each(|digest| self.listener.strike(digest));
        if let Some(newest) = entries.last() {
            self.listener.applied(newest.at);
        }
        self.hub.applied(entries);
    }

    async fn flush(&self, closed: Closed) -> usize {
        self.hub.flush(closed).await
    }

    fn covered(&self, position: Position, pending_windows: usize) {
        self.hub.covered(position, pending_windows);
    }

    fn gap(&self, to: Position) {
        self.listener.applied(to);
        self.hub.gap(to);
    }

    fn input_gap(&self, at: Position, product_ids: &[ProductId]) {
        self.listener.applied(at);
        self.hub.input_gap(at, product_ids);
    }

    fn new_epoch(&self, head: Head) {
        self.listener.applied(head.position.epoch.at(0));
        self.hub.new_epoch(head);
    }
}
