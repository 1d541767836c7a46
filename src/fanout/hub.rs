//! [`Hub`]: the rooms `product:<id>` and who is in them.
//!
//! It gives no positions, keeps no history and frames no bytes: the log, the index and the lanes do. What it does for
//! its members stands beside it: [`deliver`](super::deliver), [`resume`](super::resume), [`slow`](super::slow),
//! [`spread`](super::spread) and [`beat`](super::beat).

use std::{
    collections::BTreeMap,
    net::IpAddr,
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use dashmap::{DashMap, Entry as Slot};
use parking_lot::Mutex;
use tokio::{sync::Notify, time::Instant};

use super::{
    Admission, Flushes, IfAhead, Lane, NotAdmitted, Outcome, Subscriber, SubscriberId, audience::Audience,
    spread::RefetchQueue,
};
use crate::{
    index::{Index, Since},
    model::ProductId,
    net::Seat,
    telemetry::Metrics,
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
    /// Sessions at a time, of either transport.
    pub sessions_max: usize,
    /// Sessions at a time of one client address; `None`: not counted.
    pub sessions_per_address_max: Option<usize>,
    /// Refetches a second that the shop's origin can answer, over all pods; `None`: nobody said.
    pub origin_rps_budget: Option<NonZeroU32>,
}

/// The rooms.
#[derive(Debug)]
pub struct Hub {
    pub(super) config: HubConfig,
    pub(super) index: Arc<Index>,
    pub(super) metrics: Arc<Metrics>,
    /// Members per product. A room's entry in this map is also the product's critical section: recording a batch,
    /// and answering and joining a client, exclude each other there. Copy on write: a delivery walks the members of
    /// the moment its batch was recorded.
    pub(super) rooms: DashMap<ProductId, Arc<Vec<Arc<Subscriber>>>>,
    pub(super) subscribers: DashMap<SubscriberId, Arc<Subscriber>>,
    pub(super) debtors: Mutex<BTreeMap<SubscriberId, Arc<Subscriber>>>,
    /// The refetches that are expected; none without a budget.
    pub(super) refetches: Option<Mutex<RefetchQueue>>,
    /// The other pods.
    pub(super) audience: Audience,
    /// Connections in at least one room.
    pub(super) joined: AtomicUsize,
    pub(super) pending_windows: AtomicUsize,
    pub(super) flushes: Flushes,
    admission: Admission,
    last_id: AtomicU64,
    /// Many debts were made at once.
    pub(super) debts_due: Notify,
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

impl Hub {
    /// A hub without connections.
    pub fn new(config: HubConfig, index: Arc<Index>, metrics: Arc<Metrics>) -> Self {
        metrics.connections_max.set(config.sessions_max as f64);
        Self {
            config,
            index,
            metrics,
            rooms: DashMap::new(),
            subscribers: DashMap::new(),
            debtors: Mutex::default(),
            refetches: config.origin_rps_budget.map(|b| Mutex::new(RefetchQueue::new(b, Instant::now()))),
            audience: Audience::default(),
            joined: AtomicUsize::new(0),
            pending_windows: AtomicUsize::new(0),
            flushes: Flushes::default(),
            last_id: AtomicU64::new(0),
            admission: Admission::new(config.sessions_max, config.sessions_per_address_max),
            debts_due: Notify::new(),
        }
    }

    /// What changed when.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// What was told to somebody here lately.
    pub fn flushes(&self) -> &Flushes {
        &self.flushes
    }

    /// Connections that track this product.
    pub fn viewers(&self, product_id: &ProductId) -> usize {
        self.rooms.get(product_id).map_or(0, |room| room.len())
    }

    /// Products one connection may track.
    pub fn products_max(&self) -> usize {
        self.config.products_max
    }

    /// Messages queued to one connection before it counts as slow.
    pub fn queue_max(&self) -> usize {
        self.config.queue_max
    }

    /// Takes a new connection; at `expires_at` it has to end.
    pub fn connect(
        &self,
        lane: Box<dyn Lane>,
        announced: bool,
        expires_at: Option<Instant>,
    ) -> Arc<Subscriber> {
        let id = SubscriberId(self.last_id.fetch_add(1, Ordering::Relaxed) + 1);
        self.metrics.connections.of(lane.transport()).increment(1.0);
        self.metrics.connections_opened.of(lane.transport()).increment(1);
        let covered = self.index.progress().covered();
        let subscriber = Arc::new(Subscriber::new(id, announced, expires_at, lane, covered));
        self.subscribers.insert(id, Arc::clone(&subscriber));
        // A new epoch may have begun before it was in the list of those who are told.
        subscriber.update(|standing| {
            if standing.debt.is_none() {
                standing.epoch = self.index.progress().epoch;
            }
        });
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
        self.metrics.connections.of(subscriber.lane.transport()).decrement(1.0);
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
        if_ahead: IfAhead,
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
        let answer = since.map_or(Ok(Outcome::Joined), |s| self.answer(subscriber, product_id, s, if_ahead));
        let outcome = answer.unwrap_or_else(|reason| {
            self.owe(subscriber, product_id, reason);
            Outcome::Resync
        });
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

    /// Leaves a room. Leaving one it is not in does nothing.
    pub fn leave(&self, subscriber: &Arc<Subscriber>, product_id: &ProductId) {
        let mut membership = subscriber.membership.lock();
        if membership.products.remove(product_id) {
            if membership.products.is_empty() {
                self.joined.fetch_sub(1, Ordering::Relaxed);
            }
            self.take_out(subscriber, product_id);
            subscriber.update(|standing| standing.debt.iter_mut().for_each(|debt| debt.forget(product_id)));
        }
    }

    /// Those who signed in with a token that has expired by now.
    pub fn expired(&self, now: Instant) -> Vec<Arc<Subscriber>> {
        self.subscribers(|subscriber| subscriber.expires_at.is_some_and(|at| at <= now))
    }

    /// A connection was refused with this code.
    pub(super) fn refused(&self, code: &'static str) {
        self.metrics.refused(code);
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

    /// Lets a session in, if there is room for it. `address`: its client's, if that is known.
    pub fn admit(&self, address: Option<IpAddr>) -> Result<Seat, NotAdmitted> {
        self.admission.admit(address, &self.metrics)
    }

    /// A session that was let in has begun.
    pub fn admitted(&self, address: Option<IpAddr>) {
        self.admission.admitted(address);
    }

    /// Lets no new session in from here on.
    pub fn admit_no_more(&self) {
        self.admission.close();
    }

    /// Notes that a connection is ended from this side, and ends it. `reason`: as metrics name it.
    pub(super) fn cut_session(&self, reason: &str, cut: impl FnOnce()) {
        self.metrics.connections_cut.of(reason).increment(1);
        cut();
    }

    /// Ends a connection at once, and forgets it. `reason`: as metrics name it.
    pub(super) fn cut(&self, id: SubscriberId, reason: &str) {
        if let Some(subscriber) = self.subscriber(id) {
            self.cut_session(reason, || subscriber.lane.cut());
            self.disconnect(id);
        }
    }

    /// Those of the subscribers, in the order they connected: nobody waits longer than who came later, and a simulated
    /// run can be repeated.
    pub(super) fn subscribers(&self, of: impl Fn(&Subscriber) -> bool) -> Vec<Arc<Subscriber>> {
        let mut found: Vec<_> =
            self.subscribers.iter().filter(|s| of(s.value())).map(|s| Arc::clone(s.value())).collect();
        found.sort_unstable_by_key(|subscriber| subscriber.id);
        found
    }

    fn take_out(&self, subscriber: &Subscriber, product_id: &ProductId) {
        self.metrics.subscriptions.decrement(1.0);
        if let Slot::Occupied(mut room) = self.rooms.entry(product_id.clone()) {
            let members = Arc::make_mut(room.get_mut());
            if let Some(at) = members.iter().position(|s| std::ptr::eq(Arc::as_ptr(s), subscriber)) {
                members.swap_remove(at);
            }
            if members.is_empty() {
                room.remove();
            }
        }
    }
}
