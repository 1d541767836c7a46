//! No silent gap, for any sequence of events, pauses, slow readers and cuts.
//!
//! Real windows, index, hub and SSE streams; only the sockets are left out. A client may be cut between any two
//! blocks, and everything it had not read by then is lost to it. What must hold in the end: for every event of a
//! product it was subscribed to it has the event itself, or was told to refetch after the event was accepted.

mod expiry;
mod page;
mod shopper;
mod spread;
mod stress;

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use proptest::prelude::*;
use serde_json::value::RawValue;
use tokio::time::{Instant, advance};

use super::*;
use crate::{
    batch::{BatchConfig, Closed, Downstream as _, Edge, Windows},
    clock::Clock,
    eventlog::Head,
    index::{Index, IndexConfig},
    model::{Data, Entry, Epoch, Event, EventType, LogTime, Position, ProductId, Timestamp},
    telemetry::Metrics,
};

const PRODUCTS: u8 = 3;

#[derive(Debug, Clone)]
enum Step {
    Event {
        product: u8,
    },
    /// One that is read with others behind it, and waits for its window until they are.
    EventOfPage {
        product: u8,
    },
    Pause {
        ms: u64,
    },
    /// The client reads some blocks.
    Read {
        blocks: usize,
    },
    /// The connection is cut; what was not read is lost. The client comes back at its next turn.
    Cut,
    ComeBack,
    Beat,
    PayDebts,
    /// The log lost entries in front of the reader.
    Gap,
    /// The log lost its history.
    NewEpoch,
}

#[derive(Debug, Clone, Copy)]
struct Setup {
    edge: Edge,
    queue_max: usize,
    history_max: usize,
    announced: bool,
}

/// What clients see of a pod, and what the shop knows. Cheap to clone, for clients on threads of their own.
#[derive(Clone)]
struct Pod {
    hub: Arc<Hub>,
    /// Every accepted event, in order, over all epochs: its product.
    accepted: Arc<Mutex<Vec<u8>>>,
}

impl Pod {
    fn accepted_count(&self) -> usize {
        self.accepted.lock().len()
    }

    fn beat(&self) {
        let everyone: Vec<_> = self.hub.subscribers.iter().map(|s| Arc::clone(s.value())).collect();
        everyone.iter().for_each(|s| self.hub.beat_one(s));
    }
}

/// One pod and the log in front of it.
struct World {
    windows: Windows,
    /// Read and told as applied, and not in their windows yet.
    page: Vec<Arc<Entry>>,
    pod: Pod,
    head: Position,
    epochs: u64,
}

fn product(i: u8) -> ProductId {
    ProductId::new(&format!("p{i}")).unwrap()
}

impl World {
    fn new(setup: Setup) -> Self {
        Self::with(setup, Duration::from_millis(300), None)
    }

    fn with(setup: Setup, window: Duration, origin_rps_budget: Option<NonZeroU32>) -> Self {
        let head = Epoch::from_random(0).at(0);
        let clock = Clock::from_tokio(LogTime::from_micros(1_767_225_600_000_000));
        let index =
            IndexConfig { retention_secs: 86_400, events_max: setup.history_max, bytes_max: usize::MAX };
        let index = Arc::new(Index::new(index, clock, Head { position: head, log_time: clock.now() }));
        let hub = HubConfig {
            sessions_max: 1_000,
            sessions_per_address_max: None,
            products_max: 200,
            batch_events_max: 4,
            batch_bytes_max: 10_000,
            queue_max: setup.queue_max,
            origin_rps_budget,
        };
        let hub = Arc::new(Hub::new(hub, index, Arc::new(Metrics::new().unwrap())));
        let batch = BatchConfig { window, events_max: 4, bytes_max: 10_000, edge: setup.edge };
        let pod = Pod { hub, accepted: Arc::default() };
        Self { windows: Windows::new(batch, head), page: Vec::new(), pod, head, epochs: 0 }
    }

    /// Accepts an event and reads it from the log, as the batcher does. Its data names it for good.
    async fn event(&mut self, i: u8) {
        self.event_of_page(i);
        self.push_page().await;
    }

    /// The same, up to where its window takes it.
    fn event_of_page(&mut self, i: u8) {
        self.pod.accepted.lock().push(i);
        self.head.n += 1;
        let data = RawValue::from_string(format!(r#"{{"n":{}}}"#, self.pod.accepted_count())).unwrap();
        let entry = Arc::new(Entry {
            at: self.head,
            log_time: self.pod.hub.index().log_time().next(),
            event: Event {
                product_id: product(i),
                event_type: EventType::InventoryUpdate,
                data: Data::new(&data).unwrap(),
                timestamp: Timestamp::from(LogTime::from_micros(0)),
            },
            message: None,
            origin: None,
        });
        self.pod.hub.applied(std::slice::from_ref(&entry));
        self.page.push(entry);
    }

    async fn push_page(&mut self) {
        for entry in std::mem::take(&mut self.page) {
            let closed = self.windows.push(Instant::now(), entry);
            self.leave(closed).await;
        }
    }

    /// Accepts an event that the log then loses.
    fn lost_event(&mut self, i: u8) {
        self.pod.accepted.lock().push(i);
        self.head.n += 1;
    }

    async fn pause(&mut self, ms: u64) {
        advance(Duration::from_millis(ms)).await;
        self.expire().await;
    }

    async fn expire(&mut self) {
        self.push_page().await;
        let closed = std::iter::from_fn(|| self.windows.expire(Instant::now())).collect();
        self.leave(closed).await;
    }

    async fn flush(&mut self) {
        self.push_page().await;
        let closed = self.windows.flush();
        self.leave(closed).await;
    }

    async fn gap(&mut self) {
        self.lost_event(0);
        self.lost_event(1);
        self.flush().await;
        self.windows.skip_to(self.head);
        self.pod.hub.gap(self.head);
    }

    async fn new_epoch(&mut self) {
        self.lost_event(0);
        self.flush().await;
        self.epochs += 1;
        self.head = Epoch::from_random(self.epochs).at(0);
        self.windows.skip_to(self.head);
        self.pod.hub.new_epoch(Head { position: self.head, log_time: self.pod.hub.index().log_time() });
    }

    async fn leave(&mut self, closed: Vec<Closed>) {
        for closed in closed {
            self.pod.hub.flush(closed).await;
        }
        self.pod.hub.covered(self.windows.covered(), self.windows.pending_count());
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (0..PRODUCTS).prop_map(|product| Step::Event { product }),
        4 => (0..PRODUCTS).prop_map(|product| Step::EventOfPage { product }),
        4 => (1..400_u64).prop_map(|ms| Step::Pause { ms }),
        6 => (1..4_usize).prop_map(|blocks| Step::Read { blocks }),
        2 => Just(Step::Cut),
        3 => Just(Step::ComeBack),
        1 => Just(Step::Beat),
        1 => Just(Step::PayDebts),
        1 => prop_oneof![3 => Just(Step::Beat), 1 => Just(Step::Gap), 1 => Just(Step::NewEpoch)],
    ];
    prop::collection::vec(step, 1..80)
}

fn setups() -> impl Strategy<Value = Setup> {
    let edge = prop_oneof![Just(Edge::Trailing), Just(Edge::Leading)];
    let queue_max = prop_oneof![1 => 1..6_usize, 2 => Just(512_usize)];
    let history_max = prop_oneof![1 => 1..8_usize, 2 => Just(1_000_usize)];
    (edge, queue_max, history_max, any::<bool>()).prop_map(|(edge, queue_max, history_max, announced)| {
        Setup { edge, queue_max, history_max, announced }
    })
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(future)
}

/// What a client knows, whatever its transport.
#[derive(Default)]
struct Knowledge {
    /// How many events had been accepted when it last subscribed without saying where it was.
    since: usize,
    /// Events it received.
    received: BTreeSet<usize>,
    /// Per product: how many events had been accepted when it last refetched.
    refetched: BTreeMap<u8, usize>,
}

impl Knowledge {
    /// The shop knows every accepted event, so a refetch now makes up for all of them.
    fn refetch(&mut self, pod: &Pod, i: u8) {
        self.refetched.insert(i, pod.accepted_count());
    }

    /// Every event it can neither have seen nor made up for.
    fn silent_gaps(&self, pod: &Pod) -> Vec<usize> {
        let accepted = pod.accepted.lock();
        let made_up = |n: &usize, i: u8| self.refetched.get(&i).is_some_and(|upto| n <= upto);
        let missing = |(n, i): (usize, &u8)| (!self.received.contains(&n) && !made_up(&n, *i)).then_some(n);
        (1..).zip(accepted.iter()).filter_map(missing).filter(|n| *n > self.since).collect()
    }
}
