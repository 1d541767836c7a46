//! [`Flushes`]: the newest batches that somebody here was told, for the person who asks what became of an event. Decides
//! nothing, and nothing waits for it.

use std::collections::VecDeque;

use parking_lot::Mutex;

use super::Hub;
use crate::{
    model::{Batch, LogTime, Origin, Position, ProductId},
    telemetry::{Attribute, Span, Transport},
};

/// A batch that left its window while somebody here was looking at its product.
#[derive(Debug, Clone)]
pub struct Flush {
    /// Whose batch.
    pub product_id: ProductId,
    /// The `n` of its oldest event.
    pub first_n: u64,
    /// The position of its newest event.
    pub cursor: Position,
    /// How many events.
    pub events: usize,
    /// When the log took the oldest, which is when the window opened, but for the way here.
    pub opened: LogTime,
    /// When it left.
    pub left: LogTime,
    /// What came of it.
    pub told: Told,
}

/// What came of handing a batch to the members of its room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Told {
    /// Queued, by [`Transport`].
    pub sent: [u32; Transport::ALL.len()],
    /// Too slow: told to refetch instead, as soon as they read again.
    pub slow: u32,
    /// Left out, because they are owed the word to refetch already.
    pub owed: u32,
    /// Found to be gone.
    pub gone: u32,
}

impl Told {
    /// Both together, for a room that is walked in slices.
    pub fn and(mut self, other: Self) -> Self {
        self.sent.iter_mut().zip(other.sent).for_each(|(sum, more)| *sum += more);
        Self {
            slow: self.slow + other.slow,
            owed: self.owed + other.owed,
            gone: self.gone + other.gone,
            ..self
        }
    }
}

/// A ring. What nobody was told leaves no trace here; that it was flushed is told by the covered position.
#[derive(Debug, Default)]
pub struct Flushes(Mutex<VecDeque<Flush>>);

impl Flushes {
    /// Batches kept: minutes of a quiet shop, seconds of a busy one. With ids of the greatest length they take 2 MiB.
    pub const MAX: usize = 8_192;

    /// Keeps one more. The hub calls it once a batch.
    pub(super) fn note(&self, batch: &Batch, left: LogTime, told: Told) {
        let flush = Flush {
            product_id: batch.product_id().clone(),
            first_n: batch.oldest().at.n,
            cursor: batch.cursor(),
            events: batch.count(),
            opened: batch.oldest().log_time,
            left,
            told,
        };
        let mut ring = self.0.lock();
        if ring.len() >= Self::MAX {
            ring.pop_front();
        }
        ring.push_back(flush);
    }

    /// The newest of a product, at most `max`, oldest first. Looks through all there are.
    pub fn of(&self, product_id: &ProductId, max: usize) -> Vec<Flush> {
        let ring = self.0.lock();
        let mut found: Vec<_> =
            ring.iter().rev().filter(|flush| flush.product_id == *product_id).take(max).cloned().collect();
        found.reverse();
        found
    }
}

impl Hub {
    /// Keeps what came of a batch where a person may look for it.
    pub(super) fn note_flush(&self, batch: &Batch, left: LogTime, told: Told) {
        let told_count: u32 = told.sent.iter().sum();
        tracing::debug!(cursor = %batch.cursor(), events = batch.count(), told = told_count, "a batch was told");
        self.flushes.note(batch, left, told);
        if Span::is_wanted() {
            record_spans(batch, left, told_count);
        }
    }
}

/// One span for each trace that an event of the batch belongs to: a child of taking the event in, on whatever pod that was.
fn record_spans(batch: &Batch, left: LogTime, told: u32) {
    /// In one batch. A trace is mostly one request; a burst of more is not worth a span each.
    const TRACES_MAX: usize = 16;
    let mut seen: Vec<u128> = Vec::new();
    for entry in batch.entries() {
        let Some(trace) = entry.origin.as_ref().and_then(Origin::trace) else { continue };
        if !trace.sampled || seen.contains(&trace.trace_id) || seen.len() == TRACES_MAX {
            continue;
        }
        seen.push(trace.trace_id);
        let cursor = batch.cursor().to_string();
        let attributes = [
            ("product", Attribute::Text(batch.product_id().as_str())),
            ("cursor", Attribute::Text(&cursor)),
            ("events", Attribute::Count(batch.count() as u64)),
            ("told", Attribute::Count(told.into())),
        ];
        let (own, parent_id) = (trace.child(rand::random()), Some(trace.span_id));
        Span { name: "flush", own, parent_id, start: entry.log_time, end: left, attributes: &attributes }
            .record();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::{Data, Entry, Epoch, Event, EventType, Timestamp};

    fn batch(n: u64, product: &str) -> Batch {
        let time = LogTime::from_micros(n as i64);
        let event = Event {
            product_id: ProductId::new(product).unwrap(),
            event_type: EventType::PriceUpdate,
            data: Data::default(),
            timestamp: Timestamp::from(time),
        };
        let at = Epoch::from_random(1).at(n);
        Batch::of(Arc::new(Entry { at, log_time: time, event, message: None, origin: None }))
    }

    /// Goal: memory is bounded and the newest stay. Method: more than fit.
    #[test]
    fn the_oldest_give_way() {
        let flushes = Flushes::default();
        for n in 1..=Flushes::MAX as u64 + 10 {
            flushes.note(&batch(n, ["p", "q"][n as usize % 2]), LogTime::from_micros(0), Told::default());
        }
        assert_eq!(flushes.0.lock().len(), Flushes::MAX);
        let of = |id: &str, max| -> Vec<u64> {
            flushes.of(&ProductId::new(id).unwrap(), max).iter().map(|flush| flush.first_n).collect()
        };
        assert_eq!(of("p", 3), [8_198, 8_200, 8_202]);
        assert_eq!(of("q", usize::MAX).len(), Flushes::MAX / 2);
        assert_eq!(of("r", 3), [0; 0]);
    }

    #[test]
    fn slices_of_a_room_add_up() {
        let slice = Told { sent: [2, 1], slow: 1, owed: 0, gone: 3 };
        let sum = Told { sent: [4, 2], slow: 2, owed: 0, gone: 6 };
        assert_eq!(slice.and(slice), sum);
    }
}
