//! [`Ledger`]: what was published, and whether each client got each event of its products once, in order.
//!
//! A batch is read once; that another client got the same bytes is a comparison, so that checking costs the generator little.

use std::time::{Duration, Instant};

use crate::{times::Times, wire::event};

/// How long servers collect changes of a product.
pub const WINDOW: Duration = Duration::from_millis(300);

/// What one client has of one product.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// Which.
    pub product: u32,
    /// The newest number it got, or that was there when it joined.
    pub last: u32,
}

/// The book of a run.
#[derive(Debug)]
pub struct Ledger {
    products: Vec<Product>,
    /// Events that clients have still to get.
    owed: u64,
    /// What came.
    pub counts: Counts,
}

/// What came.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// Batches that clients got since [`Ledger::measure_from_now`].
    pub deliveries: u64,
    /// Their bytes, without framing, since then.
    pub bytes: u64,
    /// Events that were left out.
    pub lost: u64,
    /// Events that came again.
    pub duplicates: u64,
    /// Batches that are not as they have to be.
    pub misread: u64,
    /// From the end of the window of a batch, counted from when its first event was published, to a client;
    /// since then.
    pub beyond_window: Times,
}

#[derive(Debug, Default)]
struct Product {
    members: u64,
    /// When the event with number i + 1 was published.
    published: Vec<Instant>,
    newest: Vec<u8>,
    numbers: (u32, u32),
}

impl Ledger {
    /// With products from 0 on.
    pub fn new(products: usize) -> Self {
        let products = (0..products).map(|_| Product::default()).collect();
        Self { products, owed: 0, counts: Counts::default() }
    }

    /// A client joined.
    pub fn join(&mut self, product: u32) -> Seen {
        let known = &mut self.products[product as usize];
        known.members += 1;
        Seen { product, last: known.published.len() as u32 }
    }

    /// The number of the event of `product` that is published now.
    pub fn publish(&mut self, product: usize, now: Instant) -> u32 {
        let known = &mut self.products[product];
        known.published.push(now);
        self.owed += known.members;
        known.published.len() as u32
    }

    /// A batch reached a client.
    pub fn deliver(&mut self, batch: &[u8], seen: &mut [Seen], now: Instant) {
        let product = event::product_of(batch).unwrap_or(usize::MAX);
        let seen = seen.iter_mut().find(|seen| seen.product as usize == product);
        let (Some(seen), Some(known)) = (seen, self.products.get_mut(product)) else {
            self.counts.misread += 1;
            return;
        };
        if known.newest != batch {
            let Some(numbers) = event::numbers_of(batch) else {
                self.counts.misread += 1;
                return;
            };
            known.newest.clear();
            known.newest.extend_from_slice(batch);
            known.numbers = numbers;
        }
        let (first, count) = known.numbers;
        let end = first + count - 1;
        let (again, new) = (end.min(seen.last).saturating_sub(first - 1), end.saturating_sub(seen.last));
        self.counts.duplicates += u64::from(again);
        self.counts.lost += u64::from(first.saturating_sub(seen.last + 1));
        seen.last = seen.last.max(end);
        self.owed = self.owed.saturating_sub(u64::from(new.min(count)));
        self.counts.deliveries += 1;
        self.counts.bytes += batch.len() as u64;
        if let Some(published) = known.published.get(first as usize - 1) {
            self.counts.beyond_window.add(now.saturating_duration_since(*published + WINDOW));
        }
    }

    /// Whether every client has everything.
    pub fn is_settled(&self) -> bool {
        self.owed == 0
    }

    /// What never came, of all that was published.
    pub fn missing(&self, seen: &[Seen]) -> u64 {
        let missing =
            |seen: &Seen| self.products[seen.product as usize].published.len() as u64 - u64::from(seen.last);
        seen.iter().map(missing).sum()
    }

    /// Begins anew, but for what went wrong: that counts whenever it happened.
    pub fn measure_from_now(&mut self) {
        let Counts { lost, duplicates, misread, .. } = self.counts;
        self.counts = Counts { lost, duplicates, misread, ..Counts::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::event::event;

    fn batch(numbers: std::ops::RangeInclusive<u32>) -> String {
        let events: Vec<_> = numbers.map(|number| event(0, number)).collect();
        format!(r#"{{"productId":"product-0","events":[{}],"count":{}}}"#, events.join(","), events.len())
    }

    /// Three events were published for one client.
    fn three() -> (Ledger, [Seen; 1]) {
        let mut ledger = Ledger::new(1);
        let seen = [ledger.join(0)];
        (1..=3).for_each(|number| assert_eq!(ledger.publish(0, Instant::now()), number));
        (ledger, seen)
    }

    #[test]
    fn a_client_that_has_everything_is_owed_nothing() {
        let (mut ledger, mut seen) = three();
        ledger.deliver(batch(1..=2).as_bytes(), &mut seen, Instant::now());
        assert!(!ledger.is_settled());
        ledger.deliver(batch(3..=3).as_bytes(), &mut seen, Instant::now());
        assert!(ledger.is_settled());
        assert_eq!((ledger.counts.lost, ledger.counts.duplicates, ledger.counts.deliveries), (0, 0, 2));
        assert_eq!(ledger.missing(&seen), 0);
    }

    #[test]
    fn what_was_left_out_is_lost() {
        let (mut ledger, mut seen) = three();
        ledger.deliver(batch(1..=1).as_bytes(), &mut seen, Instant::now());
        assert_eq!(ledger.missing(&seen), 2);
        ledger.deliver(batch(3..=3).as_bytes(), &mut seen, Instant::now());
        assert_eq!((ledger.counts.lost, ledger.missing(&seen)), (1, 0));
    }

    #[test]
    fn what_comes_again_is_a_duplicate() {
        let (mut ledger, mut seen) = three();
        ledger.deliver(batch(1..=2).as_bytes(), &mut seen, Instant::now());
        ledger.deliver(batch(1..=3).as_bytes(), &mut seen, Instant::now());
        assert_eq!((ledger.counts.lost, ledger.counts.duplicates), (0, 2));
    }

    #[test]
    fn a_batch_of_another_product_is_misread() {
        let (mut ledger, _) = three();
        ledger.deliver(batch(1..=2).as_bytes(), &mut [], Instant::now());
        assert_eq!(ledger.counts.misread, 1);
    }
}
