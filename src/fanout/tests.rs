//! No silent gap, for any sequence of events, pauses, slow readers and cuts.
//!
//! Real windows, index, hub and SSE streams; only the sockets are left out. A client may be cut between any two
//! blocks, and everything it had not read by then is lost to it. What must hold in the end: for every event of a
//! product it was subscribed to it has the event itself, or was told to refetch after the event was accepted.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use http_body_util::BodyExt as _;
use proptest::prelude::*;
use serde_json::{Value, value::RawValue};
use tokio::time::{Instant, advance, timeout};

use super::{
    sse::{Subscription, open},
    *,
};
use crate::{
    batch::{BatchConfig, Closed, Downstream as _, Edge, Windows},
    clock::Clock,
    eventlog::Head,
    index::{Index, IndexConfig, Since},
    model::{Data, Entry, Epoch, Event, EventType, LogTime, Position, ProductId, Timestamp},
    telemetry::Metrics,
};

const PRODUCTS: u8 = 3;

#[derive(Debug, Clone)]
enum Step {
    Event {
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

/// One pod and the log in front of it.
struct World {
    windows: Windows,
    hub: Arc<Hub>,
    head: Position,
    epochs: u64,
    /// Every accepted event, in order, over all epochs: its product.
    accepted: Vec<u8>,
}

fn product(i: u8) -> ProductId {
    ProductId::new(&format!("p{i}")).unwrap()
}

impl World {
    fn new(setup: Setup) -> Self {
        let head = Epoch::from_random(0).at(0);
        let clock = Clock::from_tokio(LogTime::from_micros(1_767_225_600_000_000));
        let index = IndexConfig {
            retention_secs: 86_400,
            events_max: setup.history_max,
            bytes_max: usize::MAX,
        };
        let index = Arc::new(Index::new(
            index,
            clock,
            Head {
                position: head,
                log_time: clock.now(),
            },
        ));
        let hub = HubConfig {
            products_max: 200,
            batch_events_max: 4,
            batch_bytes_max: 10_000,
            queue_max: setup.queue_max,
        };
        let hub = Arc::new(Hub::new(hub, index, Arc::new(Metrics::new().unwrap())));
        let batch = BatchConfig {
            window: Duration::from_millis(300),
            events_max: 4,
            bytes_max: 10_000,
            edge: setup.edge,
        };
        Self {
            windows: Windows::new(batch, head),
            hub,
            head,
            epochs: 0,
            accepted: Vec::new(),
        }
    }

    /// Accepts an event and reads it from the log, as the batcher does. Its data names it for good.
    async fn event(&mut self, i: u8) {
        self.accepted.push(i);
        self.head.n += 1;
        let data = RawValue::from_string(format!(r#"{{"n":{}}}"#, self.accepted.len())).unwrap();
        let entry = Arc::new(Entry {
            at: self.head,
            log_time: self.hub.index().log_time().next(),
            event: Event {
                product_id: product(i),
                event_type: EventType::InventoryUpdate,
                data: Data::new(&data).unwrap(),
                timestamp: Timestamp::from(LogTime::from_micros(0)),
            },
        });
        self.hub.applied(&entry);
        let closed = self.windows.push(Instant::now(), entry);
        self.leave(closed).await;
    }

    /// Accepts an event that the log then loses.
    fn lost_event(&mut self, i: u8) {
        self.accepted.push(i);
        self.head.n += 1;
    }

    async fn pause(&mut self, ms: u64) {
        advance(Duration::from_millis(ms)).await;
        let closed = self.windows.expire(Instant::now());
        self.leave(closed).await;
    }

    async fn flush(&mut self) {
        let closed = self.windows.flush();
        self.leave(closed).await;
    }

    async fn gap(&mut self) {
        self.lost_event(0);
        self.lost_event(1);
        self.flush().await;
        self.windows.skip_to(self.head);
        self.hub.gap(self.head);
    }

    async fn new_epoch(&mut self) {
        self.lost_event(0);
        self.flush().await;
        self.epochs += 1;
        self.head = Epoch::from_random(self.epochs).at(0);
        self.windows.skip_to(self.head);
        self.hub.new_epoch(Head {
            position: self.head,
            log_time: self.hub.index().log_time(),
        });
    }

    async fn leave(&mut self, closed: Vec<Closed>) {
        for closed in closed {
            self.hub.flush(closed).await;
        }
        self.hub
            .covered(self.windows.covered(), self.windows.pending_count());
    }
}

/// A page with an `EventSource`, or what it amounts to.
struct Page {
    announced: bool,
    stream: Option<axum::body::Body>,
    last_id: Option<String>,
    /// How many events had been accepted when it last subscribed without saying where it was.
    since: Option<usize>,
    /// Events it received.
    received: BTreeSet<usize>,
    /// Per product: how many events had been accepted when it last refetched.
    refetched: BTreeMap<u8, usize>,
}

impl Page {
    async fn come_back(&mut self, world: &World) {
        if self.stream.is_some() {
            return;
        }
        if self.last_id.is_none() {
            // It cannot say where it was, so it is promised nothing for its absence.
            self.since = Some(world.accepted.len());
        }
        let subscription = Subscription {
            products: (0..PRODUCTS).map(product).collect(),
            announced: self.announced,
            since: self.last_id.as_deref().map(Since::parse),
        };
        let response = open(Arc::clone(&world.hub), subscription, None).await;
        self.stream = Some(response.into_body());
    }

    /// Reads one block; false if there is none now.
    async fn read(&mut self, world: &World) -> bool {
        let Some(stream) = &mut self.stream else {
            return false;
        };
        let Ok(Some(Ok(block))) = timeout(Duration::ZERO, stream.frame()).await else {
            return false;
        };
        let block = String::from_utf8(block.into_data().unwrap().to_vec()).unwrap();
        assert!(
            block.ends_with("\n\n") && !block.trim_end().contains("\n\n"),
            "one block: {block:?}"
        );
        let field = |name: &str| block.lines().find_map(|l| l.strip_prefix(name));
        let data: Value = field("data: ")
            .map(|d| serde_json::from_str(d).unwrap())
            .unwrap_or_default();
        match field("event: ") {
            Some("batched_product_update") => self.batch(world, &data),
            Some("resync_required") => self.resync(world, &data),
            Some("position") | None => {}
            Some(other) => panic!("unknown event {other}"),
        }
        if let Some(id) = field("id: ") {
            self.last_id = Some(id.to_owned());
        }
        true
    }

    fn batch(&mut self, world: &World, batch: &Value) {
        let events = batch["events"].as_array().unwrap();
        assert_eq!(batch["count"], events.len());
        self.received.extend(
            events
                .iter()
                .map(|e| e["data"]["n"].as_u64().unwrap() as usize),
        );
        if events.is_empty() {
            assert!(!self.announced, "an announced client is told in words");
            self.refetch(world, batch["productId"].as_str().unwrap());
        }
    }

    fn resync(&mut self, world: &World, resync: &Value) {
        assert!(self.announced, "a plain client does not know this word");
        match resync.get("productIds") {
            Some(ids) => ids
                .as_array()
                .unwrap()
                .iter()
                .for_each(|id| self.refetch(world, id.as_str().unwrap())),
            None => (0..PRODUCTS).for_each(|i| self.refetch(world, product(i).as_str())),
        }
    }

    /// The shop knows every accepted event, so a refetch now makes up for all of them.
    fn refetch(&mut self, world: &World, id: &str) {
        let i = (0..PRODUCTS).find(|i| product(*i).as_str() == id).unwrap();
        self.refetched.insert(i, world.accepted.len());
    }

    /// Every event it can neither have seen nor made up for.
    fn silent_gaps(&self, world: &World) -> Vec<usize> {
        let since = self.since.unwrap_or(world.accepted.len());
        let after = |n: &usize| *n > since;
        let made_up = |n: &usize, i: u8| self.refetched.get(&i).is_some_and(|upto| n <= upto);
        let missing =
            |(n, i): (usize, &u8)| (!self.received.contains(&n) && !made_up(&n, *i)).then_some(n);
        (1..)
            .zip(&world.accepted)
            .filter_map(missing)
            .filter(after)
            .collect()
    }
}

async fn play(setup: Setup, steps: &[Step]) -> Vec<usize> {
    let mut world = World::new(setup);
    let mut page = Page {
        announced: setup.announced,
        stream: None,
        last_id: None,
        since: None,
        received: BTreeSet::new(),
        refetched: BTreeMap::new(),
    };
    for step in steps {
        match *step {
            Step::Event { product } => world.event(product).await,
            Step::Pause { ms } => world.pause(ms).await,
            Step::Read { blocks } => {
                for _ in 0..blocks {
                    page.read(&world).await;
                }
            }
            Step::Cut => page.stream = None,
            Step::ComeBack => page.come_back(&world).await,
            Step::Beat => {
                let everyone: Vec<_> = world
                    .hub
                    .subscribers
                    .iter()
                    .map(|s| Arc::clone(s.value()))
                    .collect();
                everyone.iter().for_each(|s| world.hub.beat_one(s));
            }
            Step::PayDebts => world.hub.pay_debts(),
            Step::Gap => world.gap().await,
            Step::NewEpoch => world.new_epoch().await,
        }
    }
    // Everything comes to rest: windows close, debts are paid, the page reads all there is.
    page.come_back(&world).await;
    world.pause(1_000).await;
    world.pause(1_000).await;
    while page.read(&world).await {}
    for _ in 0..20 {
        world.pause(100).await;
        world.hub.pay_debts();
        while page.read(&world).await {}
    }
    assert!(world.hub.debtors.lock().is_empty(), "a debt was never paid");
    page.silent_gaps(&world)
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        10 => (0..PRODUCTS).prop_map(|product| Step::Event { product }),
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
    (edge, queue_max, history_max, any::<bool>()).prop_map(
        |(edge, queue_max, history_max, announced)| Setup {
            edge,
            queue_max,
            history_max,
            announced,
        },
    )
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn a_stream_that_is_cut_anywhere_has_no_silent_gap(setup in setups(), steps in steps()) {
        prop_assert_eq!(block_on(play(setup, &steps)), Vec::<usize>::new());
    }
}
