//! Server-Sent Events: `GET /api/events?products=a,b,c` (contract section 6): what is asked for, and how a stream opens.
//!
//! What a block looks like is [`mod@block`]'s, how it leaves the [`lane`]'s. Everything that decides what a client missed is in
//! the hub.

mod block;
mod lane;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{Request, State},
    http::{
        HeaderMap, HeaderValue, Uri,
        header::{CACHE_CONTROL, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
};

pub use self::block::block;
pub(super) use self::lane::Carrier;
use self::{
    block::opening_chunk,
    lane::{EndOfStream, StreamLane},
};
use super::{Hub, IfAhead, PositionBeat, Subscriber};
use crate::{
    index::Since,
    model::ProductId,
    net::Seat,
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

/// When a browser whose stream ended comes again.
const RETRY_MS: std::ops::Range<u32> = 1_000..3_000;
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
    hub.admitted(address);
    Ok(open(hub, subscription, Carrier::of(&request), Some(seat), visitor).await)
}

/// Opens a stream.
pub(super) async fn open(
    hub: Arc<Hub>,
    subscription: Subscription,
    carrier: Carrier,
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
    // Told any later position than its own, a client that comes back would skip what it missed if it were cut before
    // all of that is queued. One that is new starts where the pod stands, and misses nothing from there on.
    let since = since.unwrap_or(Since::Cursor(hub.index().progress().covered()));
    let own = if let Since::Cursor(at) = since { Some(at) } else { None };
    let first = opening_chunk(rand::random_range(RETRY_MS), own);
    let (lane, answer) = StreamLane::new(carrier, hub.queue_max(), first, announced, seat);
    let subscriber = hub.connect(Box::new(lane), announced, visitor.expires_at());
    subscriber.opening();
    let end = EndOfStream { hub: Arc::clone(&hub), id: subscriber.id() };
    join_all(&hub, &subscriber, &products, since);
    let covered = hub.covered_for(&subscriber);
    // JavaScript cannot see an id without data, so an announced client is told in words even if nothing changed.
    if !subscriber.has_debt() && (own != Some(covered) || announced) {
        let beat = PositionBeat { cursor: covered, products: Vec::new() };
        // If it does not fit, the next beat tells it.
        let _told = subscriber.lane.beat(Some(&beat));
    }
    subscriber.opened();
    answer.into_response(end, response)
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
