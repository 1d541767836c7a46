//! [`Batch`]: what left one window. Never empty, always one product, always in log order.

use std::sync::Arc;

use super::{Entry, Position, ProductId};

/// Entries of one product, in the order of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    first: Arc<Entry>,
    rest: Vec<Arc<Entry>>,
    encoded_bytes: usize,
}

impl Batch {
    /// A batch of one.
    pub fn of(first: Arc<Entry>) -> Self {
        let encoded_bytes = first.event.encoded_len();
        Self { first, rest: Vec::new(), encoded_bytes }
    }

    /// Adds the next entry of the same product.
    pub fn push(&mut self, entry: Arc<Entry>) {
        debug_assert_eq!(entry.event.product_id, self.first.event.product_id);
        debug_assert!(entry.at.epoch == self.first.at.epoch && entry.at.n > self.newest().at.n);
        self.encoded_bytes += entry.event.encoded_len();
        self.rest.push(entry);
    }

    /// Whose entries.
    pub fn product_id(&self) -> &ProductId {
        &self.first.event.product_id
    }

    /// How many entries; at least 1.
    pub fn count(&self) -> usize {
        1 + self.rest.len()
    }

    /// Bytes of the events in a frame, commas not counted.
    pub fn encoded_bytes(&self) -> usize {
        self.encoded_bytes
    }

    /// The oldest entry.
    pub fn oldest(&self) -> &Arc<Entry> {
        &self.first
    }

    /// The newest entry, which gives the batch its cursor and its timestamp.
    pub fn newest(&self) -> &Arc<Entry> {
        self.rest.last().unwrap_or(&self.first)
    }

    /// The position of the newest entry.
    pub fn cursor(&self) -> Position {
        self.newest().at
    }

    /// All entries, oldest first.
    pub fn entries(&self) -> impl Iterator<Item = &Arc<Entry>> {
        std::iter::once(&self.first).chain(&self.rest)
    }
}
