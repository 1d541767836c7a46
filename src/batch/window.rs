//! [`Windows`]: which entries wait for which moment. A pure state machine; time comes in as `now`.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;

use crate::model::{Batch, Entry, Position, ProductId};

/// How entries are batched.
#[derive(Debug, Clone, Copy)]
pub struct BatchConfig {
    /// How long a window stays open. Zero: every entry leaves by itself.
    pub window: Duration,
    /// Entries in one batch at most; at least 1.
    pub events_max: usize,
    /// Encoded bytes in one batch at most. One entry always fits.
    pub bytes_max: usize,
    /// When the first entry of a quiet product leaves.
    pub edge: Edge,
}

/// When the first entry of a quiet product leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// With its window: all entries of a window leave together.
    Trailing,
    /// At once; what follows within the window leaves when the window closes.
    Leading,
}

/// A batch that has left its window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// What left.
    pub batch: Batch,
    /// The covered position once this batch and all before it are delivered: no window still open, nor any batch
    /// that leaves later in the same tick, holds an entry at or before it.
    pub covered: Position,
}

/// All open windows.
///
/// Every window is equally long, so the queue of closing times is in order by itself, and a window that closed
/// early leaves a stale ticket behind rather than a hole.
#[derive(Debug)]
pub struct Windows {
    config: BatchConfig,
    open: HashMap<ProductId, Window>,
    /// Closing times, soonest first.
    tickets: VecDeque<Ticket>,
    /// The first `n` of every window that holds entries.
    held: BTreeSet<u64>,
    /// The newest entry pushed.
    applied: Position,
    opened_count: u64,
}

#[derive(Debug)]
struct Window {
    /// Tells this window from an earlier one of the same product.
    serial: u64,
    closes: Instant,
    /// `None`: opened by an entry that left at once (leading edge), and nothing came since.
    batch: Option<Batch>,
}

#[derive(Debug)]
struct Ticket {
    closes: Instant,
    serial: u64,
    product_id: ProductId,
}

impl Windows {
    /// No window open, everything up to `applied` left.
    pub fn new(config: BatchConfig, applied: Position) -> Self {
        Self {
            config,
            open: HashMap::new(),
            tickets: VecDeque::new(),
            held: BTreeSet::new(),
            applied,
            opened_count: 0,
        }
    }

    /// Takes the next entry of the log and returns the batches of its product that leave before or because of it, in
    /// order: one whose time has come, one that is full, one that must make room, or the entry itself at a leading edge.
    pub fn push(&mut self, now: Instant, entry: Arc<Entry>) -> Vec<Closed> {
        let mut left = Vec::new();
        let product_id = entry.event.product_id.clone();
        // A caller that comes late must not put an entry into a window whose time is over.
        if self.open.get(&product_id).is_some_and(|window| window.closes <= now) {
            self.close_in_time(now, product_id.clone(), &mut left);
        }
        self.applied = entry.at;
        if self.config.window.is_zero() {
            self.leave(Batch::of(entry), &mut left);
            return left;
        }
        let Some(window) = self.open.get_mut(&product_id) else {
            match self.config.edge {
                Edge::Trailing => self.open_with(now, product_id, Some(entry), &mut left),
                Edge::Leading => {
                    self.leave(Batch::of(entry), &mut left);
                    self.open_with(now, product_id, None, &mut left);
                }
            }
            return left;
        };
        match &mut window.batch {
            Some(batch) if batch.encoded_bytes() + entry.event.encoded_len() > self.config.bytes_max => {
                // Held first: the batch that makes room must not tell a position that covers this entry.
                self.held.insert(entry.at.n);
                self.close(&product_id, &mut left);
                self.open_with(now, product_id, Some(entry), &mut left);
            }
            Some(batch) => {
                batch.push(entry);
                self.close_if_full(now, product_id, &mut left);
            }
            empty => {
                self.held.insert(entry.at.n);
                *empty = Some(Batch::of(entry));
                self.close_if_full(now, product_id, &mut left);
            }
        }
        left
    }

    /// Closes the window that has been due for longest, and returns its batch. One at a time: what comes in meanwhile
    /// is to open its window when it comes, not when all that is due has left.
    pub fn expire(&mut self, now: Instant) -> Option<Closed> {
        let mut left = Vec::new();
        while let Some(ticket) = self.tickets.pop_front_if(|t| left.is_empty() && t.closes <= now) {
            if self.open.get(&ticket.product_id).is_some_and(|w| w.serial == ticket.serial) {
                self.close_in_time(now, ticket.product_id, &mut left);
            }
        }
        left.pop()
    }

    /// Closes every window now, in the order of their oldest entries: history ends here, or the process does.
    pub fn flush(&mut self) -> Vec<Closed> {
        self.tickets.clear();
        let mut all: Vec<_> = self.open.keys().cloned().collect();
        let oldest_n = |w: Option<&Window>| w.and_then(|w| w.batch.as_ref()).map(|b| b.oldest().at.n);
        all.sort_unstable_by_key(|product_id| oldest_n(self.open.get(product_id)));
        let mut left = Vec::new();
        for product_id in all {
            self.close(&product_id, &mut left);
        }
        left
    }

    /// Goes on behind `applied`, which is no entry: a hole, or the start of a new epoch. Nothing may be open.
    pub fn skip_to(&mut self, applied: Position) {
        debug_assert!(self.open.is_empty(), "flush before the log's history breaks");
        self.applied = applied;
    }

    /// When [`expire`](Self::expire) has something to do next.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.tickets.front().map(|t| t.closes)
    }

    /// Everything at or before it has left.
    pub fn covered(&self) -> Position {
        let n = self.held.first().map_or(self.applied.n, |first| first - 1);
        self.applied.epoch.at(n)
    }

    /// The newest entry pushed.
    pub fn applied(&self) -> Position {
        self.applied
    }

    /// Windows that hold entries.
    pub fn pending_count(&self) -> usize {
        self.held.len()
    }

    fn open_with(
        &mut self,
        now: Instant,
        product_id: ProductId,
        entry: Option<Arc<Entry>>,
        left: &mut Vec<Closed>,
    ) {
        self.opened_count += 1;
        let serial = self.opened_count;
        let closes = now + self.config.window;
        self.tickets.push_back(Ticket { closes, serial, product_id: product_id.clone() });
        self.held.extend(entry.iter().map(|e| e.at.n));
        self.open.insert(product_id.clone(), Window { serial, closes, batch: entry.map(Batch::of) });
        self.close_if_full(now, product_id, left);
    }

    /// A full window leaves at once. With a leading edge another one follows it, so that a burst of full windows
    /// is not followed by an entry that leaves alone.
    fn close_if_full(&mut self, now: Instant, product_id: ProductId, left: &mut Vec<Closed>) {
        let full =
            |b: &Batch| b.count() >= self.config.events_max || b.encoded_bytes() >= self.config.bytes_max;
        if !self.open.get(&product_id).and_then(|w| w.batch.as_ref()).is_some_and(full) {
            return;
        }
        self.close(&product_id, left);
        if self.config.edge == Edge::Leading {
            self.open_with(now, product_id, None, left);
        }
    }

    /// Closes a window whose time has come. With a leading edge one that collected something is followed by another.
    fn close_in_time(&mut self, now: Instant, product_id: ProductId, left: &mut Vec<Closed>) {
        if self.close(&product_id, left) && self.config.edge == Edge::Leading {
            self.open_with(now, product_id, None, left);
        }
    }

    /// Takes the window away and lets its batch leave, if it collected one.
    fn close(&mut self, product_id: &ProductId, left: &mut Vec<Closed>) -> bool {
        let Some(batch) = self.open.remove(product_id).and_then(|w| w.batch) else {
            return false;
        };
        self.held.remove(&batch.oldest().at.n);
        self.leave(batch, left);
        true
    }

    fn leave(&self, batch: Batch, left: &mut Vec<Closed>) {
        left.push(Closed { batch, covered: self.covered() });
    }
}
