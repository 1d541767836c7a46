//! [`Wire`]: a connection from the hub to a client of Socket.IO: a bounded queue that is cut at any moment, and what is
//! asked through it, answered as the transport does.

use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use parking_lot::Mutex;
use shelfcast::{
    fanout::{Delivery, Hub, IfAhead, Lane, Outcome, Parcel, PositionBeat, Resync, Subscriber},
    index::Since,
    model::{LogTime, Position, ProductId},
    tasks::Tasks,
    telemetry::Transport,
};
use tokio::sync::Notify;

use crate::history::Answer;

/// What comes to a client.
#[derive(Debug)]
pub(super) enum Message {
    Frame(String),
    Resync { reason: &'static str, products: Option<Vec<ProductId>>, cursor: Position },
    Beat { cursor: Position, products: Vec<(ProductId, Position)> },
    Ack { results: Vec<(ProductId, Answer)>, cursor: Position },
}

enum Pipe {
    Open(VecDeque<Message>),
    /// The client is gone and the server has not noticed.
    HalfOpen,
    Closed,
}

pub(super) struct Wire {
    pipe: Mutex<Pipe>,
    queue_max: usize,
    came: Notify,
    /// The server has ended it; what is queued is still read.
    ended: AtomicBool,
    /// One request waits for the pod to come as far as its cursor.
    waiting: AtomicBool,
}

impl Wire {
    pub(super) fn new(queue_max: usize) -> Arc<Self> {
        let pipe = Mutex::new(Pipe::Open(VecDeque::new()));
        Arc::new(Self {
            pipe,
            queue_max,
            came: Notify::new(),
            ended: AtomicBool::new(false),
            waiting: AtomicBool::new(false),
        })
    }

    fn send(&self, message: impl FnOnce() -> Message) -> Delivery {
        match &mut *self.pipe.lock() {
            Pipe::Closed => Delivery::Gone,
            Pipe::HalfOpen => Delivery::Sent,
            Pipe::Open(queue) if queue.len() >= self.queue_max => Delivery::Full,
            Pipe::Open(queue) => {
                queue.push_back(message());
                self.came.notify_one();
                Delivery::Sent
            }
        }
    }

    /// The next message; `None`: the server has ended the connection. Cancel safe.
    pub(super) async fn recv(&self) -> Option<Message> {
        loop {
            if let Pipe::Open(queue) = &mut *self.pipe.lock()
                && let Some(message) = queue.pop_front()
            {
                return Some(message);
            }
            if self.ended.load(Ordering::Acquire) {
                return None;
            }
            self.came.notified().await;
        }
    }

    /// The server ends it.
    fn end(&self) {
        self.ended.store(true, Ordering::Release);
        self.came.notify_one();
    }

    /// The client is gone; what it has not read is lost.
    pub(super) fn leave(&self) {
        *self.pipe.lock() = Pipe::HalfOpen;
    }

    /// The server notices.
    pub(super) fn close(&self) {
        *self.pipe.lock() = Pipe::Closed;
    }
}

/// The hub's end.
pub(super) struct WireLane(pub(super) Arc<Wire>);

impl fmt::Debug for WireLane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WireLane")
    }
}

impl Lane for WireLane {
    fn is_flushed(&self) -> bool {
        true
    }

    fn close(&self) {
        self.0.end();
    }

    fn cut(&self) {
        if let Pipe::Open(queue) = &mut *self.0.pipe.lock() {
            queue.clear();
        }
        self.0.end();
    }

    fn transport(&self) -> Transport {
        Transport::SocketIo
    }

    fn frame(&self, parcel: &Parcel, _complete: bool) -> Delivery {
        self.0.send(|| Message::Frame(parcel.frame.json().get().to_owned()))
    }

    fn resync(&self, resync: &Resync, _complete: bool) -> Delivery {
        self.0.send(|| Message::Resync {
            reason: resync.reason.as_str(),
            products: resync.product_ids.clone(),
            cursor: resync.cursor,
        })
    }

    fn beat(&self, beat: Option<&PositionBeat>) -> Delivery {
        beat.map_or(Delivery::Sent, |beat| {
            self.0.send(|| {
                let mut products = beat.products.clone();
                products.sort_unstable_by(|(one, _), (other, _)| one.as_str().cmp(other.as_str()));
                Message::Beat { cursor: beat.cursor, products }
            })
        })
    }

    fn is_gone(&self) -> bool {
        matches!(*self.0.pipe.lock(), Pipe::Closed)
    }
}

/// The server's end of a connection: what the Socket.IO transport does with each request.
#[derive(Clone)]
pub(super) struct Session {
    pub(super) hub: Arc<Hub>,
    pub(super) subscriber: Arc<Subscriber>,
    pub(super) wire: Arc<Wire>,
    pub(super) tasks: Tasks,
}

/// A product that a client wants to join.
pub(super) struct Wanted {
    pub(super) product: ProductId,
    /// Where it was.
    pub(super) since: Option<Position>,
    /// The timestamp of the batch that brought it there, if it says that instead.
    pub(super) stamp: Option<LogTime>,
}

type Ahead = Vec<(ProductId, Position)>;

impl Session {
    /// `join_products`.
    pub(super) fn join_products(&self, wanted: Vec<Wanted>) {
        let (mut results, mut ahead) = (Vec::new(), Vec::new());
        self.subscriber.opening();
        for Wanted { product, since, stamp } in wanted {
            let said = stamp.map(Since::Time).or(since.map(Since::Cursor));
            let joined = self.hub.join(&self.subscriber, &product, said, IfAhead::Wait);
            note(&mut results, &mut ahead, product, since, joined.ok());
        }
        self.subscriber.opened();
        self.hub.pay(&self.subscriber);
        self.wait_or_ack(results, ahead);
    }

    /// `join_product`: without a word about where the client was.
    pub(super) fn join_product(&self, products: Vec<ProductId>) {
        let (mut results, mut ahead) = (Vec::new(), Vec::new());
        for product in products {
            let joined = self.hub.join(&self.subscriber, &product, None, IfAhead::Wait);
            note(&mut results, &mut ahead, product, None, joined.ok());
        }
        self.ack(results);
    }

    /// `request_sync`.
    pub(super) fn request_sync(&self, product: ProductId, since: Position) {
        let outcome = self.hub.resume(&self.subscriber, &product, Since::Cursor(since), IfAhead::Wait);
        let (mut results, mut ahead) = (Vec::new(), Vec::new());
        note(&mut results, &mut ahead, product, Some(since), Some(outcome));
        self.wait_or_ack(results, ahead);
    }

    pub(super) fn leave_product(&self, product: &ProductId) {
        self.hub.leave(&self.subscriber, product);
    }

    fn wait_or_ack(&self, results: Vec<(ProductId, Answer)>, ahead: Ahead) {
        let far = ahead.iter().map(|(_, at)| *at).max_by_key(|at| at.n);
        match far.filter(|_| !self.wire.waiting.swap(true, Ordering::AcqRel)) {
            Some(far) => {
                let session = self.clone();
                self.tasks.spawn(async move {
                    session.hub.index().wait_applied(far).await;
                    session.wire.waiting.store(false, Ordering::Release);
                    session.give_up(results, ahead);
                });
            }
            None => self.give_up(results, ahead),
        }
    }

    fn give_up(&self, mut results: Vec<(ProductId, Answer)>, ahead: Ahead) {
        for (product, at) in ahead {
            let outcome = self.hub.resume(&self.subscriber, &product, Since::Cursor(at), IfAhead::GiveUp);
            note(&mut results, &mut Vec::new(), product, Some(at), Some(outcome));
        }
        self.hub.pay(&self.subscriber);
        self.ack(results);
    }

    fn ack(&self, results: Vec<(ProductId, Answer)>) {
        let cursor = self.hub.covered_for(&self.subscriber);
        // If it does not fit, the client's own timeout tells.
        let _told = self.wire.send(|| Message::Ack { results, cursor });
    }
}

fn note(
    results: &mut Vec<(ProductId, Answer)>,
    ahead: &mut Ahead,
    product: ProductId,
    since: Option<Position>,
    outcome: Option<Outcome>,
) {
    match (outcome, since) {
        (Some(Outcome::Ahead), Some(at)) => ahead.push((product, at)),
        (Some(outcome), _) => results.push((product, Answer::of(outcome.as_str()))),
        (None, _) => results.push((product, Answer::Refused)),
    }
}
