//! [`StreamLane`]: a stream as the hub hands over to it. Decides nothing of what a client is told.
//!
//! A stream that has its connection to itself leaves HTTP ([`Detach`]) and takes the short way, as
//! batches do to a WebSocket: shared bytes, written by the hub. One among others on an HTTP/2 connection, or to a client
//! of HTTP/1.0, which knows no chunks, has a bounded queue that its body is read from.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    body::Body,
    extract::{ConnectInfo, Request},
    http::{Method, Version},
    response::Response,
};
use bytes::Bytes;
use http_body::Frame as BodyFrame;
use parking_lot::Mutex;
use serde::Serialize;
use tokio::{sync::mpsc, time::Instant};

use super::block::{self, content, event_chunk, id_chunk};
use crate::{
    fanout::{Delivery, Hub, Lane, Parcel, PositionBeat, Resync, SubscriberId},
    model::Position,
    net::{Connection, Detach, Endless, Seat, Sent},
    telemetry::Transport,
};

/// What carries a stream.
#[derive(Debug, Clone)]
pub(in crate::fanout) enum Carrier {
    /// A connection of its own, which leaves HTTP.
    Own(Connection),
    /// HTTP; on a connection, unless a test has none.
    Http(Option<Connection>),
}

impl Carrier {
    /// What the answer to this request may go by.
    pub(super) fn of(request: &Request) -> Self {
        let connection = request.extensions().get::<ConnectInfo<Connection>>().map(|info| info.0.clone());
        let alone = request.version() == Version::HTTP_11 && request.method() == Method::GET;
        match connection {
            Some(connection) if alone && connection.may_detach() => Self::Own(connection),
            connection => Self::Http(connection),
        }
    }

    fn connection(&self) -> Option<&Connection> {
        match self {
            Self::Own(connection) => Some(connection),
            Self::Http(connection) => connection.as_ref(),
        }
    }
}

/// One stream.
#[derive(Debug)]
pub(super) struct StreamLane {
    announced: bool,
    carrier: Carrier,
    out: Arc<Mutex<Out>>,
    /// Goes with the lane and not with the answer: of a stream that is stuck among others on one connection, the body stays
    /// until the other end lets go of it.
    _seat: Option<Seat>,
}

/// What was said, and where it goes. One lock, so that ids leave in the order they are compared.
#[derive(Debug)]
pub(super) struct Out {
    way: Way,
    /// The newest id told. A beat is made beside the deliveries and may bring an older one.
    told: Option<Position>,
}

#[derive(Debug)]
enum Way {
    /// Behind the head, once that is there.
    Opening(Vec<Bytes>),
    /// At once.
    Direct(Connection),
    /// When the body is read.
    Body(mpsc::Sender<Bytes>),
    /// Nowhere: the connection's end is written.
    Over,
}

/// Bytes that may wait for the head. What a client does not take of that is more than it can make use of: it is told to
/// refetch.
const OPENING_BYTES_MAX: usize = 256 * 1024;

/// The other half of a stream: what its answer goes by.
pub(super) enum Answer {
    /// What to say behind its head.
    Own(Arc<Mutex<Out>>),
    /// What to read its body from.
    Http(mpsc::Receiver<Bytes>),
}

impl StreamLane {
    /// A stream that begins with `first`, and what its answer goes by. `queue_max`: chunks that may wait.
    pub(super) fn new(
        carrier: Carrier,
        queue_max: usize,
        first: Bytes,
        announced: bool,
        seat: Option<Seat>,
    ) -> (Self, Answer) {
        let out = |way| Arc::new(Mutex::new(Out { way, told: None }));
        let (out, answer) = match &carrier {
            Carrier::Own(_) => {
                let out = out(Way::Opening(Vec::new()));
                (Arc::clone(&out), Answer::Own(out))
            }
            Carrier::Http(_) => {
                let (queue, blocks) = mpsc::channel(queue_max);
                (out(Way::Body(queue)), Answer::Http(blocks))
            }
        };
        let lane = Self { announced, carrier, out, _seat: seat };
        // There is room: nothing was said yet.
        let _sent = lane.send(first, Instant::now());
        (lane, answer)
    }

    /// Sends a chunk that tells `id`; `None`: a newer one was told already.
    fn tell(&self, id: Position, since: Instant, chunk: impl FnOnce() -> Bytes) -> Option<Delivery> {
        let mut out = self.out.lock();
        if out.told.is_some_and(|told| told.epoch == id.epoch && told.n > id.n) {
            return None;
        }
        let sent = out.way.send(chunk(), since);
        if sent == Delivery::Sent {
            out.told = Some(id);
        }
        Some(sent)
    }

    fn send(&self, chunk: Bytes, since: Instant) -> Delivery {
        self.out.lock().way.send(chunk, since)
    }

    /// Whether anything queued to it now would only take memory.
    fn is_full(&self) -> bool {
        self.carrier.connection().is_some_and(Connection::is_full)
    }
}

impl Way {
    fn send(&mut self, chunk: Bytes, since: Instant) -> Delivery {
        match self {
            Self::Opening(chunks) if chunks.iter().map(Bytes::len).sum::<usize>() > OPENING_BYTES_MAX => {
                Delivery::Full
            }
            Self::Opening(chunks) => {
                chunks.push(chunk);
                Delivery::Sent
            }
            Self::Direct(connection) => {
                let sent = connection.send(&chunk, since);
                if sent == Sent::Gone {
                    // It may look open from outside, and the hub is about to forget it.
                    connection.cut();
                }
                sent.into()
            }
            Self::Over => Delivery::Gone,
            Self::Body(queue) => match queue.try_send(content(&chunk)) {
                Ok(()) => Delivery::Sent,
                Err(mpsc::error::TrySendError::Full(_)) => Delivery::Full,
                Err(mpsc::error::TrySendError::Closed(_)) => Delivery::Gone,
            },
        }
    }
}

impl Lane for StreamLane {
    fn transport(&self) -> Transport {
        Transport::Sse
    }

    fn frame(&self, parcel: &Parcel, complete: bool) -> Delivery {
        const EVENT: &str = "batched_product_update";
        if self.is_full() {
            return Delivery::Full;
        }
        let (json, since) = (parcel.frame.json().get(), parcel.flushed);
        // What takes the short way is noted there.
        let noted = match &self.carrier {
            Carrier::Http(Some(connection)) => Some((connection, connection.expect_write(since, json.len()))),
            Carrier::Own(_) | Carrier::Http(None) => None,
        };
        let id = parcel.frame.covered().filter(|_| complete);
        let with_id =
            id.and_then(|id| self.tell(id, since, || parcel.sse(|| event_chunk(EVENT, Some(id), json))));
        let sent = with_id.unwrap_or_else(|| self.send(event_chunk(EVENT, None, json), since));
        if let (Some((connection, first)), true) = (noted, sent != Delivery::Sent) {
            connection.expect_none(first, json.len());
        }
        sent
    }

    fn resync(&self, resync: &Resync, complete: bool) -> Delivery {
        const EVENT: &str = "resync_required";
        // One word when it drains, not one for each look at the debt.
        if self.is_full() {
            return Delivery::Full;
        }
        let (json, now) = (json(resync), Instant::now());
        let id = complete.then_some(resync.cursor);
        let with_id = id.and_then(|id| self.tell(id, now, || event_chunk(EVENT, Some(id), &json)));
        with_id.unwrap_or_else(|| self.send(event_chunk(EVENT, None, &json), now))
    }

    fn beat(&self, beat: Option<&PositionBeat>) -> Delivery {
        let now = Instant::now();
        let told = beat.and_then(|beat| {
            let id = beat.cursor;
            self.tell(id, now, || {
                if self.announced { event_chunk("position", Some(id), &json(beat)) } else { id_chunk(id) }
            })
        });
        told.unwrap_or_else(|| self.send(block::COMMENT, now))
    }

    fn is_flushed(&self) -> bool {
        // What waits for a body is read before its end.
        match &self.carrier {
            Carrier::Own(connection) => !connection.owes_write(),
            Carrier::Http(_) => true,
        }
    }

    fn close(&self) {
        // A body ends when the hub lets go of this lane.
        if let Carrier::Own(connection) = &self.carrier {
            connection.close();
        }
    }

    fn cut(&self) {
        // Others may be on the same connection; a stream among them ends like any other.
        if let Some(connection) = self.carrier.connection().filter(|c| !c.is_multiplexed()) {
            connection.cut();
        }
    }

    fn is_gone(&self) -> bool {
        match &self.out.lock().way {
            // Its answer tells the hub when it ends.
            Way::Opening(_) | Way::Direct(_) | Way::Over => false,
            Way::Body(queue) => queue.is_closed(),
        }
    }
}

impl Answer {
    /// The answer itself, made of what `response` makes of a body. `end` is dropped with it, however that comes about.
    pub(super) fn into_response(self, end: EndOfStream, response: impl FnOnce(Body) -> Response) -> Response {
        match self {
            Self::Http(blocks) => response(Body::new(StreamBody { blocks, _end: end })),
            Self::Own(out) => {
                let mut response = response(Body::empty());
                response.extensions_mut().insert(Detach::new(Arc::new(OwnStream { out, _end: end })));
                response
            }
        }
    }
}

/// A stream on a connection of its own.
struct OwnStream {
    out: Arc<Mutex<Out>>,
    _end: EndOfStream,
}

impl Endless for OwnStream {
    fn begin(&self, head: Vec<u8>, connection: &Connection) {
        let mut out = self.out.lock();
        if let Way::Opening(chunks) = &out.way {
            // In one: nothing waits yet, so it is taken whole, however much it is.
            let mut first = head;
            chunks.iter().for_each(|chunk| first.extend_from_slice(chunk));
            let _sent = connection.send(&first.into(), Instant::now());
            out.way = Way::Direct(connection.clone());
        }
    }
}

impl Drop for OwnStream {
    fn drop(&mut self) {
        // A delivery that is under way finds it here; behind the last chunk there must be nothing.
        self.out.lock().way = Way::Over;
    }
}

/// A stream that HTTP reads: what is queued, until the hub or the client lets go.
struct StreamBody {
    blocks: mpsc::Receiver<Bytes>,
    _end: EndOfStream,
}

impl http_body::Body for StreamBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<BodyFrame<Bytes>, Infallible>>> {
        self.blocks.poll_recv(cx).map(|block| block.map(|b| Ok(BodyFrame::data(b))))
    }
}

/// Leaves the hub when it is dropped.
pub(super) struct EndOfStream {
    pub(super) hub: Arc<Hub>,
    pub(super) id: SubscriberId,
}

impl Drop for EndOfStream {
    fn drop(&mut self) {
        self.hub.disconnect(self.id);
    }
}

fn json(value: &impl Serialize) -> String {
    #[expect(clippy::expect_used, reason = "our own structs with text keys always serialise")]
    serde_json::to_string(value).expect("a struct of checked parts serialises")
}
