//! What windows promise, for any sequence of events and pauses.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use proptest::prelude::*;
use tokio::time::Instant;

use super::*;
use crate::model::{Data, Entry, Epoch, Event, EventType, LogTime, ProductId, Timestamp};

/// What happens to the windows.
#[derive(Debug, Clone)]
enum Step {
    /// An event of this product, with this many bytes of data.
    Event { product: u8, data_bytes: usize },
    /// Time passes.
    Pause { ms: u64 },
    /// Time passes, and nobody asks the windows to expire: the task is busy.
    Stall { ms: u64 },
}

/// A batch that left, and when.
#[derive(Debug)]
struct Left {
    closed: Closed,
    at: Instant,
}

/// Everything that was seen of one run.
struct Run {
    config: BatchConfig,
    /// When each event came in; event `n` is at `n - 1`.
    pushed: Vec<(u8, Instant)>,
    left: Vec<Left>,
    /// The task was too busy to let windows expire in time.
    stalled: bool,
}

const EPOCH_BITS: u64 = 5;

fn entry(n: u64, product: u8, data_bytes: usize) -> Arc<Entry> {
    let data = format!(r#"{{"d":"{}"}}"#, "x".repeat(data_bytes));
    Arc::new(Entry {
        at: Epoch::from_random(EPOCH_BITS).at(n),
        log_time: LogTime::from_micros(n as i64),
        event: Event {
            product_id: ProductId::new(&format!("p{product}")).unwrap(),
            event_type: EventType::PriceUpdate,
            data: Data::new(&serde_json::value::RawValue::from_string(data).unwrap()).unwrap(),
            timestamp: Timestamp::from(LogTime::from_micros(0)),
        },
        message: None,
        origin: None,
    })
}

/// Plays the steps. Windows are asked to expire exactly when they said they would, as the task does; at the end they
/// are drained. After each move the covered position must stand below everything still held.
fn play(config: BatchConfig, steps: &[Step]) -> Run {
    let start = Epoch::from_random(EPOCH_BITS).at(0);
    let mut windows = Windows::new(config, start);
    let mut now = Instant::now();
    let stalled = steps.iter().any(|s| matches!(s, Step::Stall { .. }));
    let mut run = Run { config, pushed: Vec::new(), left: Vec::new(), stalled };
    let mut held = BTreeSet::new();
    let leave = |run: &mut Run, held: &mut BTreeSet<u64>, closed: Vec<Closed>, at: Instant| {
        for closed in closed {
            for entry in closed.batch.entries() {
                assert!(held.remove(&entry.at.n), "{} left twice", entry.at.n);
            }
            let applied = run.pushed.len() as u64;
            let covered = held.first().map_or(applied, |first| first - 1);
            assert_eq!(closed.covered.n, covered, "a frame tells exactly what has left");
            run.left.push(Left { closed, at });
        }
    };
    for step in steps {
        match *step {
            Step::Event { product, data_bytes } => {
                run.pushed.push((product, now));
                let n = run.pushed.len() as u64;
                held.insert(n);
                let closed = windows.push(now, entry(n, product, data_bytes));
                leave(&mut run, &mut held, closed, now);
            }
            Step::Pause { ms } => {
                let end = now + Duration::from_millis(ms);
                while let Some(deadline) = windows.next_deadline().filter(|d| *d <= end) {
                    now = now.max(deadline);
                    let closed = std::iter::from_fn(|| windows.expire(now)).collect();
                    leave(&mut run, &mut held, closed, now);
                }
                now = end;
            }
            Step::Stall { ms } => now += Duration::from_millis(ms),
        }
        assert_eq!(windows.covered().n, held.first().map_or(run.pushed.len() as u64, |first| first - 1));
    }
    let closed = windows.flush();
    leave(&mut run, &mut held, closed, now);
    assert!(held.is_empty(), "these never left: {held:?}");
    assert_eq!(windows.covered().n, run.pushed.len() as u64);
    assert_eq!(windows.pending_count(), 0);
    run
}

impl Run {
    fn check(&self) {
        let mut newest = std::collections::HashMap::new();
        for Left { closed, at } in &self.left {
            let batch = &closed.batch;
            assert!(batch.count() <= self.config.events_max);
            assert!(batch.count() == 1 || batch.encoded_bytes() <= self.config.bytes_max);
            for entry in batch.entries() {
                let (product, pushed) = self.pushed[entry.at.n as usize - 1];
                assert_eq!(entry.event.product_id, *batch.product_id());
                assert_eq!(entry.event.product_id.as_str(), format!("p{product}"));
                let before = newest.insert(product, entry.at.n);
                assert!(before < Some(entry.at.n), "order within a product");
                assert!(self.stalled || *at - pushed <= self.config.window, "an event waited too long");
            }
            let pushed = |entry: &Entry| self.pushed[entry.at.n as usize - 1].1;
            let spans = pushed(batch.newest()) - pushed(batch.oldest());
            assert!(batch.count() == 1 || spans < self.config.window, "a window was open too long");
        }
        assert_eq!(self.left.iter().map(|l| l.closed.batch.count()).sum::<usize>(), self.pushed.len());
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let event = (0..4_u8, prop_oneof![0..40_usize, 200..400_usize])
        .prop_map(|(product, data_bytes)| Step::Event { product, data_bytes });
    let pause = (0..400_u64).prop_map(|ms| Step::Pause { ms });
    let stall = (0..800_u64).prop_map(|ms| Step::Stall { ms });
    let on_time = prop::collection::vec(prop_oneof![3 => event.clone(), 1 => pause.clone()], 0..120);
    let busy = prop::collection::vec(prop_oneof![6 => event, 1 => pause, 1 => stall], 0..120);
    prop_oneof![on_time, busy]
}

fn configs() -> impl Strategy<Value = BatchConfig> {
    let edge = prop_oneof![Just(Edge::Trailing), Just(Edge::Leading)];
    let window_ms = prop_oneof![4 => Just(300_u64), 1 => Just(0_u64)];
    (window_ms, 1..6_usize, 300..900_usize, edge).prop_map(|(window_ms, events_max, bytes_max, edge)| {
        BatchConfig { window: Duration::from_millis(window_ms), events_max, bytes_max, edge }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// No event lost, none twice, order per product kept, no window longer than configured, no batch above its caps,
    /// and the covered position never beyond an event that has not left.
    #[test]
    fn windows_keep_their_promises(config in configs(), steps in steps()) {
        play(config, &steps).check();
    }
}

fn config(edge: Edge) -> BatchConfig {
    BatchConfig { window: Duration::from_millis(300), events_max: 100, bytes_max: 256 * 1024, edge }
}

/// The `n`s of each batch, with the milliseconds at which it left.
fn timeline(config: BatchConfig, steps: &[Step]) -> Vec<(u128, Vec<u64>)> {
    let run = play(config, steps);
    let start = run.pushed.first().map(|(_, at)| *at).unwrap();
    let ns = |l: &Left| l.closed.batch.entries().map(|e| e.at.n).collect();
    run.left.iter().map(|l| ((l.at - start).as_millis(), ns(l))).collect()
}

const A: Step = Step::Event { product: 0, data_bytes: 0 };
const B: Step = Step::Event { product: 1, data_bytes: 0 };

fn pause(ms: u64) -> Step {
    Step::Pause { ms }
}

#[test]
fn later_events_never_push_a_window_back() {
    let steps = [A, pause(200), A, pause(99), A, pause(1), A, pause(1_000)];
    assert_eq!(timeline(config(Edge::Trailing), &steps), [(300, vec![1, 2, 3]), (600, vec![4])]);
}

#[test]
fn with_a_leading_edge_the_first_leaves_at_once_and_the_rest_together() {
    let steps = [A, pause(100), A, A, pause(250), A, pause(1_000), A, pause(1_000)];
    let left = [(0, vec![1]), (300, vec![2, 3]), (600, vec![4]), (1_350, vec![5])];
    assert_eq!(timeline(config(Edge::Leading), &steps), left);
}

#[test]
fn a_full_window_leaves_at_once() {
    let full = BatchConfig { events_max: 2, ..config(Edge::Trailing) };
    assert_eq!(timeline(full, &[A, pause(10), A, A, pause(1_000)]), [(10, vec![1, 2]), (310, vec![3])]);
}

#[test]
fn products_do_not_wait_for_each_other() {
    let steps = [A, pause(100), B, pause(1_000)];
    assert_eq!(timeline(config(Edge::Trailing), &steps), [(300, vec![1]), (400, vec![2])]);
}
