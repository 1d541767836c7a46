//! A Socket.IO client that keeps a position for each product, cut between any two messages.
//!
//! It does what the documentation tells clients to do: it resumes each product from the higher of its newest batch and
//! the last `position`, asks when a batch's `previousCursor` is beyond what it has, and drops repeats by cursor.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    sync::Arc,
};

use parking_lot::Mutex;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Knowledge, PRODUCTS, Pod, Setup, Step, World, block_on, product, setups, steps};
use crate::{
    fanout::{Delivery, IfAhead, Lane, Parcel, PositionBeat, Resync, Subscriber},
    index::Since,
    model::Position,
    telemetry::Transport,
};

/// The way out of the hub and into the client: a bounded queue, closed when the client is cut.
#[derive(Clone)]
pub(super) struct Wire(Arc<Mutex<Option<VecDeque<Value>>>>, usize);

impl Wire {
    pub(super) fn new(queue_max: usize) -> Self {
        Self(Arc::new(Mutex::new(Some(VecDeque::new()))), queue_max)
    }

    /// The next message, if there is one.
    pub(super) fn take(&self) -> Option<Value> {
        self.0.lock().as_mut().and_then(VecDeque::pop_front)
    }

    fn send(&self, message: Value) -> Delivery {
        match &mut *self.0.lock() {
            None => Delivery::Gone,
            Some(queue) if queue.len() >= self.1 => Delivery::Full,
            Some(queue) => {
                queue.push_back(message);
                Delivery::Sent
            }
        }
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wire")
    }
}

impl Lane for Wire {
    fn is_flushed(&self) -> bool {
        true
    }

    fn close(&self) {}

    fn cut(&self) {}

    fn transport(&self) -> Transport {
        Transport::SocketIo
    }

    fn frame(&self, parcel: &Parcel, _complete: bool) -> Delivery {
        self.send(json!({"batch": serde_json::from_str::<Value>(parcel.frame.json().get()).unwrap()}))
    }

    fn resync(&self, resync: &Resync, _complete: bool) -> Delivery {
        self.send(json!({ "resync": resync }))
    }

    fn beat(&self, beat: Option<&PositionBeat>) -> Delivery {
        beat.map_or(Delivery::Sent, |beat| self.send(json!({ "position": beat })))
    }

    fn is_gone(&self) -> bool {
        self.0.lock().is_none()
    }
}

pub(super) struct Shopper {
    pub(super) announced: bool,
    connection: Option<(Wire, Arc<Subscriber>)>,
    positions: BTreeMap<u8, Position>,
    /// The newest live position of each product on this connection.
    newest: BTreeMap<u8, Position>,
    pub(super) knows: Knowledge,
}

impl Shopper {
    pub(super) fn new(announced: bool) -> Self {
        Self {
            announced,
            connection: None,
            positions: BTreeMap::new(),
            newest: BTreeMap::new(),
            knows: Knowledge::default(),
        }
    }

    pub(super) fn come_back(&mut self, pod: &Pod, queue_max: usize) {
        if self.connection.is_some() {
            return;
        }
        let wire = Wire::new(queue_max);
        let subscriber = pod.hub.connect(Box::new(wire.clone()), self.announced, None);
        self.newest.clear();
        let first = self.positions.is_empty();
        // As `join_products` does: no beat between the joins.
        subscriber.opening();
        for i in 0..PRODUCTS {
            let since = self.positions.get(&i).map(|at| Since::Cursor(*at));
            pod.hub.join(&subscriber, &product(i), since, IfAhead::GiveUp).unwrap();
        }
        subscriber.opened();
        pod.hub.pay(&subscriber);
        if first {
            self.knows.since = pod.accepted_count();
            let cursor = pod.hub.covered_for(&subscriber);
            self.positions = (0..PRODUCTS).map(|i| (i, cursor)).collect();
        }
        self.connection = Some((wire, subscriber));
    }

    pub(super) fn cut(&mut self, pod: &Pod) {
        if let Some((wire, subscriber)) = self.connection.take() {
            *wire.0.lock() = None;
            pod.hub.disconnect(subscriber.id());
        }
    }

    pub(super) fn read(&mut self, pod: &Pod) -> bool {
        let Some((wire, _)) = &self.connection else {
            return false;
        };
        let Some(message) = wire.take() else {
            return false;
        };
        if let Some(batch) = message.get("batch") {
            self.batch(pod, batch);
        } else if let Some(resync) = message.get("resync") {
            self.resync(pod, resync);
        } else if let Some(beat) = message.get("position") {
            self.position(pod, beat);
        }
        true
    }

    fn batch(&mut self, pod: &Pod, batch: &Value) {
        let i = index_of(batch["productId"].as_str().unwrap());
        let (cursor, previous) = (position(&batch["cursor"]), position(&batch["previousCursor"]));
        let events = batch["events"].as_array().unwrap();
        self.knows.received.extend(events.iter().map(|e| e["data"]["n"].as_u64().unwrap() as usize));
        if events.is_empty() {
            assert!(!self.announced);
            self.knows.refetch(pod, i);
            self.positions.insert(i, cursor);
            return;
        }
        if batch.get("replay").is_none() {
            let before = self.newest.insert(i, cursor);
            let back = before.is_some_and(|b| b.epoch == cursor.epoch && b.n >= cursor.n);
            assert!(!back, "the position of a product went back from {before:?} to {cursor}");
            self.ask_if_behind(pod, i, previous);
        }
        let own = self.positions.get(&i).copied();
        if own.is_none_or(|own| own.epoch != cursor.epoch || own.n < cursor.n) {
            self.positions.insert(i, cursor);
        }
    }

    fn resync(&mut self, pod: &Pod, resync: &Value) {
        assert!(self.announced);
        let cursor = position(&resync["cursor"]);
        let products: Vec<u8> = match resync.get("productIds") {
            Some(ids) => ids.as_array().unwrap().iter().map(|id| index_of(id.as_str().unwrap())).collect(),
            None => (0..PRODUCTS).collect(),
        };
        for i in products {
            self.knows.refetch(pod, i);
            self.positions.insert(i, cursor);
        }
    }

    fn position(&mut self, pod: &Pod, beat: &Value) {
        let cursor = position(&beat["cursor"]);
        for (id, at) in beat["products"].as_object().unwrap() {
            self.ask_if_behind(pod, index_of(id), position(at));
        }
        for own in self.positions.values_mut() {
            if own.epoch == cursor.epoch && own.n < cursor.n {
                *own = cursor;
            }
        }
    }

    /// It should have come as far as `known` and has not: it asks for what it missed.
    fn ask_if_behind(&mut self, pod: &Pod, i: u8, known: Position) {
        let own = self.positions[&i];
        if own.epoch != known.epoch || own.n < known.n {
            let subscriber = Arc::clone(&self.connection.as_ref().unwrap().1);
            pod.hub.resume(&subscriber, &product(i), Since::Cursor(own), IfAhead::GiveUp);
            pod.hub.pay(&subscriber);
        }
    }
}

fn index_of(id: &str) -> u8 {
    (0..PRODUCTS).find(|i| product(*i).as_str() == id).unwrap()
}

fn position(value: &Value) -> Position {
    value.as_str().unwrap().parse().unwrap()
}

async fn play(setup: Setup, steps: &[Step]) -> Vec<usize> {
    let mut world = World::new(setup);
    let mut shopper = Shopper::new(setup.announced);
    for step in steps {
        match *step {
            Step::Event { product } => world.event(product).await,
            Step::EventOfPage { product } => world.event_of_page(product),
            Step::Pause { ms } => world.pause(ms).await,
            Step::Read { blocks } => (0..blocks).for_each(|_| {
                shopper.read(&world.pod);
            }),
            Step::Cut => shopper.cut(&world.pod),
            Step::ComeBack => shopper.come_back(&world.pod, setup.queue_max),
            Step::Beat => world.pod.beat(),
            Step::PayDebts => world.pod.hub.pay_debts().await,
            Step::Gap => world.gap().await,
            Step::NewEpoch => world.new_epoch().await,
        }
    }
    shopper.come_back(&world.pod, setup.queue_max);
    for _ in 0..60 {
        world.pause(100).await;
        world.pod.hub.pay_debts().await;
        world.pod.beat();
        while shopper.read(&world.pod) {}
    }
    assert!(world.pod.hub.debtors.lock().is_empty(), "a debt was never paid");
    shopper.knows.silent_gaps(&world.pod)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn a_socket_that_is_cut_anywhere_has_no_silent_gap(setup in setups(), steps in steps()) {
        prop_assert_eq!(block_on(play(setup, &steps)), Vec::<usize>::new());
    }
}
