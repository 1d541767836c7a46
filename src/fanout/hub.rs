//! [`Hub`]: the rooms `product:<id>`, who is in them, and the delivery of each batch to each member by name.
//!
//! It gives no positions, keeps no history and frames no bytes: the log, the index and the lanes do.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use dashmap::{DashMap, Entry as Slot};
use parking_lot::Mutex;

use super::{Delivery, Lane, Parcel, Subscriber, SubscriberId, Transport, slow::Untold};
use crate::{
    batch::{Closed, Downstream},
    eventlog::Head,
    index::{Answer, Index, Missed, ResyncReason, Since},
    model::{Batch, Entry, Frame, Position, ProductId},
    telemetry::{ByTransport, Metrics},
};

/// Limits of the hub.
#[derive(Debug, Clone, Copy)]
pub struct HubConfig {
    /// Products one connection may track.
    pub products_max: usize,
    /// Events in one replayed batch; the same cap as for live ones.
    pub batch_events_max: usize,
    /// Bytes in one replayed batch; the same cap as for live ones.
    pub batch_bytes_max: usize,
    /// Messages queued to one connection before it counts as slow.
    pub queue_max: usize,
}

/// The rooms.
#[derive(Debug)]
pub struct Hub {
    config: HubConfig,
    pub(super) index: Arc<Index>,
    pub(super) metrics: Arc<Metrics>,
    /// Members per product. A room's entry in this map is also the product's critical section: recording a batch,
    /// and answering and joining a client, exclude each other there. Copy on write: a delivery walks the members of
    /// the moment its batch was recorded.
    rooms: DashMap<ProductId, Arc<Vec<Arc<Subscriber>>>>,
    pub(super) subscribers: DashMap<SubscriberId, Arc<Subscriber>>,
    pub(super) debtors: Mutex<HashMap<SubscriberId, Arc<Subscriber>>>,
    /// Connections in at least one room.
    joined: AtomicUsize,
    pending_windows: AtomicUsize,
    last_id: AtomicU64,
    streams_ended: AtomicBool,
}

/// Figures for `/health`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Windows that hold events.
    pub pending_windows: usize,
    /// Open connections.
    pub connections: usize,
    /// Products with at least one subscriber.
    pub rooms: usize,
    /// Connections in at least one room.
    pub subscribers: usize,
}

/// What a client is answered for one product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It joined and said nothing of where it was.
    Joined,
    /// It has everything.
    UpToDate,
    /// What it missed was queued.
    Events,
    /// It must be told to refetch, which the caller does ([`Hub::answer_lost`]).
    Resync(ResyncReason),
    /// It knows more than this pod; it joined, if it asked to. Wait ([`Index::wait_applied`]) and ask again.
    Ahead,
}

/// Why a client did not join.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// It tracks as many as it may.
    #[error("a connection may track at most 200 products")]
    TooManyProducts,
    /// The connection is gone.
    #[error("the connection is closed")]
    Gone,
}

impl Outcome {
    /// The name on the wire; one that is [`Ahead`](Self::Ahead) for good is told to refetch.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Joined => "joined",
            Self::UpToDate => "up_to_date",
            Self::Events => "events",
            Self::Resync(_) | Self::Ahead => "resync_required",
        }
    }
}

impl Hub {
    /// Members served before the task yields: large rooms must not hold a thread (measured: same CPU, a third off
    /// the latency tail).
    const SLICE: usize = 256;
    /// The pace at which returning clients may refetch without a configured budget (contract section 8).
    const REFETCHES_PER_SEC: u64 = 500;
    /// Fewer viewers than this need no spread.
    const SPREAD_FROM: u64 = 100;
    /// The longest spread.
    const SPREAD_MS_MAX: u64 = 30_000;

    /// A hub without connections.
    pub fn new(config: HubConfig, index: Arc<Index>, metrics: Arc<Metrics>) -> Self {
        Self {
            config,
            index,
            metrics,
            rooms: DashMap::new(),
            subscribers: DashMap::new(),
            debtors: Mutex::default(),
            joined: AtomicUsize::new(0),
            pending_windows: AtomicUsize::new(0),
            last_id: AtomicU64::new(0),
            streams_ended: AtomicBool::new(false),
        }
    }

    /// What changed when.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// Products one connection may track.
    pub fn products_max(&self) -> usize {
        self.config.products_max
    }

    /// Messages queued to one connection before it counts as slow.
    pub fn queue_max(&self) -> usize {
        self.config.queue_max
    }

    /// Takes a new connection. `opening`: no position is told to it until [`opened`](Self::opened).
    pub fn connect(&self, lane: Box<dyn Lane>, announced: bool, opening: bool) -> Arc<Subscriber> {
        let id = SubscriberId(self.last_id.fetch_add(1, Ordering::Relaxed) + 1);
        self.connections(lane.transport()).increment(1.0);
        let covered = self.index.progress().covered();
        let subscriber = Arc::new(Subscriber::new(id, announced, lane, opening, covered));
        self.subscribers.insert(id, Arc::clone(&subscriber));
        subscriber
    }

    /// The subscriber of that name, if it is still connected.
    pub fn subscriber(&self, id: SubscriberId) -> Option<Arc<Subscriber>> {
        self.subscribers.get(&id).map(|s| Arc::clone(s.value()))
    }

    /// The connection is gone: it leaves every room. Doing it twice does nothing more.
    pub fn disconnect(&self, id: SubscriberId) {
        let Some((_, subscriber)) = self.subscribers.remove(&id) else {
            return;
        };
        self.debtors.lock().remove(&id);
        self.connections(subscriber.lane.transport()).decrement(1.0);
        let mut membership = subscriber.membership.lock();
        membership.open = false;
        let products = std::mem::take(&mut membership.products);
        if !products.is_empty() {
            self.joined.fetch_sub(1, Ordering::Relaxed);
        }
        for product_id in products {
            self.take_out(&subscriber, &product_id);
        }
    }

    /// Joins a room and answers what was missed since the client was there (`None`: it does not ask).
    ///
    /// The missed batches are queued before any later one of the product, and nothing is missed in between: both
    /// happen in the product's critical section.
    pub fn join(
        &self,
        subscriber: &Arc<Subscriber>,
        product_id: &ProductId,
        since: Option<Since>,
    ) -> Result<Outcome, JoinError> {
        let mut membership = subscriber.membership.lock();
        if !membership.open {
            return Err(JoinError::Gone);
        }
        let new = !membership.products.contains(product_id);
        if new && membership.products.len() >= self.config.products_max {
            return Err(JoinError::TooManyProducts);
        }
        let mut room = self.rooms.entry(product_id.clone()).or_default();
        let outcome = since.map_or(Outcome::Joined, |since| self.answer(subscriber, product_id, since));
        if new {
            Arc::make_mut(&mut room).push(Arc::clone(subscriber));
            if membership.products.is_empty() {
                self.joined.fetch_add(1, Ordering::Relaxed);
            }
            membership.products.insert(product_id.clone());
            self.metrics.subscriptions.increment(1.0);
        }
        Ok(outcome)
    }

    /// Answers what was missed, without joining.
    pub fn resume(&self, subscriber: &Arc<Subscriber>, product_id: &ProductId, since: Since) -> Outcome {
        // Held empty or not, the room's entry is the product's critical section.
        let _section = self.rooms.entry(product_id.clone());
        self.answer(subscriber, product_id, since)
    }

    /// Leaves a room. Leaving one it is not in does nothing.
    pub fn leave(&self, subscriber: &Arc<Subscriber>, product_id: &ProductId) {
        let mut membership = subscriber.membership.lock();
        if membership.products.remove(product_id) {
            if membership.products.is_empty() {
                self.joined.fetch_sub(1, Ordering::Relaxed);
            }
            self.take_out(subscriber, product_id);
        }
    }

    /// Tells a client to refetch products it asked about, one word a reason. Where it has no room now, it is told
    /// when it has.
    pub fn answer_lost(&self, subscriber: &Arc<Subscriber>, lost: &[(ResyncReason, ProductId)]) {
        for reason in ResyncReason::ALL {
            let of_reason = lost.iter().filter(|(r, _)| *r == reason);
            let products: Vec<_> = of_reason.map(|(_, product_id)| product_id.clone()).collect();
            if !products.is_empty() {
                self.answer_resync(subscriber, reason, products);
            }
        }
    }

    fn answer_resync(&self, subscriber: &Arc<Subscriber>, reason: ResyncReason, products: Vec<ProductId>) {
        let owe = |products: &[ProductId], wait| {
            products.iter().for_each(|p| self.owe(subscriber, p, reason, wait));
        };
        let spread_ms = self.spread_ms();
        if !subscriber.announced && spread_ms > 0 {
            // It knows no spread, so its word waits its turn here.
            return owe(&products, Duration::from_millis(rand::random_range(0..spread_ms)));
        }
        let covered = self.covered_for(subscriber);
        match self.tell(subscriber, reason, Some(products), covered, subscriber.is_complete()) {
            Ok(()) => {}
            Err(Untold::Full { rest }) => owe(&rest.unwrap_or_default(), Duration::ZERO),
            Err(Untold::Gone) => self.disconnect(subscriber.id),
        }
    }

    /// Figures of the moment.
    pub fn counts(&self) -> Counts {
        Counts {
            pending_windows: self.pending_windows.load(Ordering::Relaxed),
            connections: self.subscribers.len(),
            rooms: self.rooms.len(),
            subscribers: self.joined.load(Ordering::Relaxed),
        }
    }

    /// Ends every SSE stream once what is queued to it was read, and takes no new ones.
    pub fn end_streams(&self) {
        self.streams_ended.store(true, Ordering::Release);
        let sse = |s: &Arc<Subscriber>| s.lane.transport() == Transport::Sse;
        let ids: Vec<_> = self.subscribers.iter().filter(|s| sse(s.value())).map(|s| *s.key()).collect();
        ids.into_iter().for_each(|id| self.disconnect(id));
    }

    /// Whether [`end_streams`](Self::end_streams) was called.
    pub(super) fn streams_ended(&self) -> bool {
        self.streams_ended.load(Ordering::Acquire)
    }

    /// Over which time clients that are told to refetch spread their requests.
    pub(super) fn spread_ms(&self) -> u64 {
        let clients = self.subscribers.len() as u64;
        if clients < Self::SPREAD_FROM {
            0
        } else {
            (clients * 1_000 / Self::REFETCHES_PER_SEC).min(Self::SPREAD_MS_MAX)
        }
    }

    fn connections(&self, transport: Transport) -> &metrics::Gauge {
        match transport {
            Transport::SocketIo => &self.metrics.connections.socketio,
            Transport::Sse => &self.metrics.connections.sse,
        }
    }

    fn take_out(&self, subscriber: &Subscriber, product_id: &ProductId) {
        self.metrics.subscriptions.decrement(1.0);
        if let Slot::Occupied(mut room) = self.rooms.entry(product_id.clone()) {
            let members = Arc::make_mut(room.get_mut());
            if let Some(at) = members.iter().position(|s| s.id == subscriber.id) {
                members.swap_remove(at);
            }
            if members.is_empty() {
                room.remove();
            }
        }
    }

    /// Queues what was missed. The caller holds the product's critical section.
    fn answer(&self, subscriber: &Arc<Subscriber>, product_id: &ProductId, since: Since) -> Outcome {
        let outcome = match self.index.resume(product_id, since) {
            Answer::UpToDate => Outcome::UpToDate,
            Answer::Resync(reason) => Outcome::Resync(reason),
            Answer::Ahead => Outcome::Ahead,
            Answer::Events(missed) => self.replay(subscriber, missed),
        };
        self.metrics.resumed(match outcome {
            Outcome::Ahead => "ahead",
            told => told.as_str(),
        });
        outcome
    }

    /// All or nothing: if the queue fills up on the way, the client is told to refetch instead.
    fn replay(&self, subscriber: &Arc<Subscriber>, missed: Missed) -> Outcome {
        let mut previous = missed.previous;
        for batch in self.batches(missed.entries) {
            let parcel = Parcel::new(Frame::replay(&batch, previous));
            if subscriber.lane.frame(&parcel, false) != Delivery::Sent {
                return Outcome::Resync(ResyncReason::Slow);
            }
            previous = batch.cursor();
        }
        Outcome::Events
    }

    fn batches(&self, entries: Vec<Arc<Entry>>) -> Vec<Batch> {
        let mut batches: Vec<Batch> = Vec::new();
        for entry in entries {
            let room = |b: &Batch| {
                b.count() < self.config.batch_events_max
                    && b.encoded_bytes() + entry.event.encoded_len() <= self.config.batch_bytes_max
            };
            match batches.last_mut() {
                Some(batch) if room(batch) => batch.push(entry),
                _ => batches.push(Batch::of(entry)),
            }
        }
        batches
    }

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
