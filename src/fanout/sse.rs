//! Server-Sent Events: `GET /api/events?products=a,b,c` (contract section 6).
//!
//! One bounded queue of shared bytes per stream. Everything that decides what a client missed is in the hub.

use std::{
    collections::BTreeSet,
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::Body,
    extract::{ConnectInfo, Request, State},
    http::{
        HeaderMap, HeaderValue, Uri,
        header::{CACHE_CONTROL, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http_body::Frame as BodyFrame;
use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::mpsc;

use super::{Delivery, Hub, IfAhead, Lane, Parcel, PositionBeat, Resync, Subscriber, SubscriberId};
use crate::{
    index::Since,
    model::{Position, ProductId},
    net::{Connection, Seat},
    telemetry::Transport,
    web::{Authenticator, ClientAddress, Problem, Visitor, presented_token},
};

/// Everything the route of the streams needs.
#[derive(Debug)]
pub struct EventsDoor {
    /// Who is told.
    pub hub: Arc<Hub>,
    /// Who may listen.
    pub authenticator: Arc<Authenticator>,
}

/// What a client asks for.
#[derive(Debug)]
pub struct Subscription {
    /// At least one, at most as many as the hub allows.
    pub products: Vec<ProductId>,
    /// `features=resync` was given.
    pub announced: bool,
    /// `Last-Event-ID`, if the client comes back.
    pub since: Option<Since>,
}

/// Bytes of a URL (contract section 6): room for 200 ids of 80 characters.
const URI_BYTES_MAX: usize = 16 * 1024;

impl Subscription {
    /// Reads the query and headers of a request.
    pub fn read(uri: &Uri, headers: &HeaderMap, products_max: usize) -> Result<Self, Problem> {
        let query = uri.query().unwrap_or_default();
        if uri.path().len() + query.len() > URI_BYTES_MAX {
            return Err(Problem::uri_too_long(URI_BYTES_MAX));
        }
        let (mut ids, mut announced, mut last_id) = (BTreeSet::new(), false, None);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "products" => {
                    ids.extend(value.split(',').map(str::trim).filter(|id| !id.is_empty()).map(str::to_owned))
                }
                "features" => announced |= value.split(',').any(|feature| feature.trim() == "resync"),
                "lastEventId" => last_id = Some(value.into_owned()),
                _ => {}
            }
        }
        // The header comes from the browser's own reconnect and is newer than what the page put into the URL.
        let header =
            headers.get("last-event-id").map(|id| String::from_utf8_lossy(id.as_bytes()).into_owned());
        let last_id = header.or(last_id).filter(|id| !id.is_empty());
        match ids.len() {
            0 => {
                return Err(Problem::bad_request(
                    "products",
                    format!("1 to {products_max} product ids, comma separated"),
                ));
            }
            count if count > products_max => return Err(Problem::too_many_products(products_max)),
            _ => {}
        }
        let products = ids.iter().map(|id| ProductId::new(id));
        let products = products
            .collect::<Result<_, _>>()
            .map_err(|e| Problem::invalid_product_id("products", e.to_string()))?;
        Ok(Self { products, announced, since: last_id.map(|id| Since::parse(&id)) })
    }
}

/// `GET /api/events`.
pub async fn events(State(door): State<Arc<EventsDoor>>, request: Request) -> Result<Response, Problem> {
    let hub = Arc::clone(&door.hub);
    // Before the token is looked at, which is work.
    let address = request.extensions().get::<ClientAddress>().map(|address| address.network());
    let seat = match hub.admit(address) {
        Ok(seat) => seat,
        Err(refused) => return Ok(come_again(refused.retry_after())),
    };
    let token = presented_token(request.headers(), request.uri().query().unwrap_or_default());
    let visitor = door.authenticator.admit(token.as_deref()).map_err(|_| Problem::bad_token())?;
    let subscription = Subscription::read(request.uri(), request.headers(), hub.products_max())?;
    let connection = request.extensions().get::<ConnectInfo<Connection>>().map(|info| info.0.clone());
    hub.admitted(address);
    Ok(open(hub, subscription, connection, Some(seat), visitor).await)
}

/// Opens a stream.
pub(super) async fn open(
    hub: Arc<Hub>,
    subscription: Subscription,
    connection: Option<Connection>,
    seat: Option<Seat>,
    visitor: Visitor,
) -> Response {
    let Subscription { products, announced, since } = subscription;
    if let Some(Since::Cursor(at)) = since {
        // A client that has seen more than this pod waits for it here, before it joins anything. Whether the pod
        // came as far in time is found out by the answers below.
        if at.epoch == hub.index().progress().epoch && at.n > hub.index().progress().applied_n {
            let _came = hub.index().wait_applied(at).await;
        }
    }
    let (queue, blocks) = mpsc::channel(hub.queue_max());
    let opening = queue.clone();
    let lane = StreamLane { queue, announced, connection, _seat: seat, told: Mutex::new(None) };
    let subscriber = hub.connect(Box::new(lane), announced, visitor.expires_at());
    subscriber.opening();
    let end = EndOfStream { hub: Arc::clone(&hub), id: subscriber.id() };

    // Told any later position than its own, a client that comes back would skip what it missed if it were cut before
    // all of that is queued. One that is new starts where the pod stands, and misses nothing from there on.
    let since = since.unwrap_or(Since::Cursor(hub.index().progress().covered()));
    let own = if let Since::Cursor(at) = since { Some(at) } else { None };
    // The queue is empty, so the first block fits.
    let _queued = opening.try_send(opening_block(own));
    join_all(&hub, &subscriber, &products, since);
    let covered = hub.covered_for(&subscriber);
    // JavaScript cannot see an id without data, so an announced client is told in words even if nothing changed.
    if !subscriber.has_debt() && (own != Some(covered) || announced) {
        let beat = PositionBeat { cursor: covered, products: Vec::new() };
        // If it does not fit, the next beat tells it.
        let _told = subscriber.lane.beat(Some(&beat));
    }
    subscriber.opened();
    response(Body::new(StreamBody { blocks, _end: end }))
}

fn response(body: Body) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    (headers, body).into_response()
}

/// An `EventSource` dies for good on any status but 200: told when to come again, it finds room or another pod.
fn come_again(after: Duration) -> Response {
    let retry_ms = after.as_millis() + rand::random_range(0..1_000);
    response(Body::from(format!("retry: {retry_ms}\n\n")))
}

/// The first block: when to come again, and where the client stands.
fn opening_block(own: Option<Position>) -> Bytes {
    let retry_ms = rand::random_range(1_000..3_000);
    let id = own.map(|at| format!("id: {at}\n")).unwrap_or_default();
    format!("retry: {retry_ms}\n{id}\n").into()
}

/// Joins every product and queues what was missed.
fn join_all(hub: &Hub, subscriber: &Arc<Subscriber>, products: &[ProductId], since: Since) {
    for product_id in products {
        if let Err(error) = hub.join(subscriber, product_id, Some(since), IfAhead::GiveUp) {
            // Too many were refused before; gone means that nobody reads this.
            tracing::debug!(%error, "a stream did not join");
        }
    }
    hub.pay(subscriber);
}

#[derive(Debug)]
struct StreamLane {
    queue: mpsc::Sender<Bytes>,
    announced: bool,
    connection: Option<Connection>,
    /// Goes with the lane and not with the body: of a stream that is stuck among others on one connection, the body stays
    /// until the other end lets go of it.
    _seat: Option<Seat>,
    /// The newest id told. A beat is made beside the deliveries and may bring an older one.
    told: Mutex<Option<Position>>,
}

impl StreamLane {
    /// Queues a block that tells `id`; `None`: a newer one was told already.
    fn tell(&self, id: Position, block: impl FnOnce() -> Bytes) -> Option<Delivery> {
        // Held until the block is queued, so that ids are queued in the order they are compared.
        let mut told = self.told.lock();
        if told.is_some_and(|told| told.epoch == id.epoch && told.n > id.n) {
            return None;
        }
        let sent = self.send(block());
        if sent == Delivery::Sent {
            *told = Some(id);
        }
        Some(sent)
    }

    /// Whether anything queued to it now would only take memory.
    fn is_full(&self) -> bool {
        self.connection.as_ref().is_some_and(Connection::is_full)
    }

    fn send(&self, block: Bytes) -> Delivery {
        match self.queue.try_send(block) {
            Ok(()) => Delivery::Sent,
            Err(mpsc::error::TrySendError::Full(_)) => Delivery::Full,
            Err(mpsc::error::TrySendError::Closed(_)) => Delivery::Gone,
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
        let json = parcel.frame.json().get();
        let connection = self.connection.as_ref();
        let noted = connection.map(|connection| connection.expect_write(parcel.flushed, json.len()));
        let id = parcel.frame.covered().filter(|_| complete);
        let with_id =
            id.and_then(|id| self.tell(id, || parcel.sse(|| block(Some(EVENT), Some(id), Some(json)))));
        let sent = with_id.unwrap_or_else(|| self.send(block(Some(EVENT), None, Some(json))));
        if let (Some((connection, first)), true) = (connection.zip(noted), sent != Delivery::Sent) {
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
        let json = json(resync);
        let id = complete.then_some(resync.cursor);
        let with_id = id.and_then(|id| self.tell(id, || block(Some(EVENT), Some(id), Some(&json))));
        with_id.unwrap_or_else(|| self.send(block(Some(EVENT), None, Some(&json))))
    }

    fn beat(&self, beat: Option<&PositionBeat>) -> Delivery {
        let told = beat.and_then(|beat| {
            let words = self.announced.then(|| json(beat));
            let event = words.as_ref().map(|_| "position");
            self.tell(beat.cursor, || block(event, Some(beat.cursor), words.as_deref()))
        });
        told.unwrap_or_else(|| self.send(Bytes::from_static(b":\n\n")))
    }

    fn is_flushed(&self) -> bool {
        // What is queued is read before the end of the stream.
        true
    }

    fn close(&self) {
        // The stream ends when the hub lets go of this lane.
    }

    fn cut(&self) {
        // Others may be on the same connection; a stream among them ends like any other.
        if let Some(connection) = self.connection.as_ref().filter(|c| !c.is_multiplexed()) {
            connection.cut();
        }
    }

    fn is_gone(&self) -> bool {
        self.queue.is_closed()
    }
}

/// One SSE block, which a browser takes as one event if it has data. No part can hold a line break: names are ours,
/// positions are checked, JSON is compact. `tests/fuzz` reads it back as a browser does.
pub fn block(event: Option<&str>, id: Option<Position>, data: Option<&str>) -> Bytes {
    let mut out = String::with_capacity(96 + data.map_or(0, str::len));
    let id = id.map(|at| at.to_string());
    for (field, value) in [("event: ", event), ("id: ", id.as_deref()), ("data: ", data)] {
        if let Some(value) = value {
            debug_assert!(!value.contains(['\n', '\r']));
            out.push_str(field);
            out.push_str(value);
            out.push('\n');
        }
    }
    out.push('\n');
    out.into()
}

fn json(value: &impl Serialize) -> String {
    #[expect(clippy::expect_used, reason = "our own structs with text keys always serialise")]
    serde_json::to_string(value).expect("a struct of checked parts serialises")
}

/// The response body: what is queued, until the hub or the client lets go.
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

/// Leaves the hub when the response is dropped, however that comes about.
struct EndOfStream {
    hub: Arc<Hub>,
    id: SubscriberId,
}

impl Drop for EndOfStream {
    fn drop(&mut self) {
        self.hub.disconnect(self.id);
    }
}
