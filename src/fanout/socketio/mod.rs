//! Socket.IO: every event of the contract's section 5, on the path `/socket.io/`.
//!
//! Requests are answered from the hub; nothing here remembers a room. Three rules come from how the library works:
//! handlers are registered in the namespace middleware (registered later, the first packet after connecting is lost);
//! joins and leaves happen before the handler returns its future (spawned futures run in any order); and one fallback
//! handler serves every event (one boxed handler a connection instead of one an event).

mod door;
mod frames;
mod lane;
mod limits;
mod link;
mod requests;
mod wire;

use std::{
    cell::Cell,
    future::Future,
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::Router;
use serde_json::Value;
use socketioxide::{
    ParserConfig, SocketIo,
    extract::{AckSender, Event, Extension, SocketRef, TryData},
    handler::ConnectHandler,
    service::SocketIoService,
    socket::DisconnectReason,
};

pub use self::door::{Door, is_of_session};
use self::{
    lane::SocketLane,
    limits::Permit,
    link::Link,
    requests::Request,
    wire::{Args, Connected, FEATURES},
};
use super::{Hub, SubscriberId};
use crate::web::{Authenticator, Unauthorized, Visitor};

/// Where the library listens.
const PATH: &str = "/socket.io";
/// Bytes of one message or polling body from a client (contract section 8).
const MESSAGE_BYTES_MAX: usize = 16 * 1024;
/// Each WebSocket has it from its beginning. Most messages are a join of a hundred bytes; it grows for a longer one.
const READ_BUFFER_BYTES: usize = 512;
/// A client that opened a transport but does not connect to the namespace is let go.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The library, which every session is in: a clone is the same one.
pub type Library = SocketIoService<Router>;

/// What is known of a connection before its first packet. Kept with the socket.
#[derive(Debug)]
struct Session {
    hub: Arc<Hub>,
    announced: bool,
    visitor: Visitor,
    /// Set by whichever comes first, the connect handler or the first packet.
    subscriber: OnceLock<SubscriberId>,
    /// One request of this socket waits for the log to come as far as its cursor.
    waiting: AtomicBool,
    /// The connect handler has run.
    greeted: Arc<AtomicBool>,
    link: Arc<Link>,
}

/// What serves `/socket.io/`, and the handle that closes it.
pub fn service(hub: Arc<Hub>, authenticator: Arc<Authenticator>) -> (Library, SocketIo) {
    let (service, io) = SocketIo::builder()
        .max_buffer_size(hub.queue_max())
        .req_path(PATH)
        .max_payload(MESSAGE_BYTES_MAX as u64)
        .ws_max_message_size(MESSAGE_BYTES_MAX)
        .ws_max_frame_size(MESSAGE_BYTES_MAX)
        .ws_read_buffer_size(READ_BUFFER_BYTES)
        .connect_timeout(CONNECT_TIMEOUT)
        .with_parser(ParserConfig::common().max_incoming_binaries(0).max_incoming_binary_buf_size(0))
        // Whatever is not under its path does not come here.
        .build_with_inner_svc(Router::new());
    let admit = move |socket: SocketRef, auth: TryData<Value>| {
        let (hub, authenticator) = (Arc::clone(&hub), Arc::clone(&authenticator));
        async move { admit(hub, &authenticator, &socket, auth.0.ok()) }
    };
    io.ns("/", greet.with(admit));
    (service, io)
}

/// The namespace middleware: everything that must be in place before the first packet. What it returns as an error is
/// the client's `connect_error.message`.
fn admit(
    hub: Arc<Hub>,
    authenticator: &Authenticator,
    socket: &SocketRef,
    auth: Option<Value>,
) -> Result<(), Unauthorized> {
    // Without the door, which only a test leaves out, nobody finds the session to end it.
    let link = socket.req_parts().extensions.get::<Arc<Link>>().cloned().unwrap_or_else(|| Link::new(None));
    if !link.limits().connect() {
        hub.cut_session("abuse", || link.cut());
        return Err(Unauthorized);
    }
    link.connected();
    let visitor = authenticator.admit(token(auth.as_ref())).inspect_err(|_| hub.refused("unauthorized"))?;
    let features = auth.as_ref().and_then(|a| a.get("features")).and_then(Value::as_array);
    let announced = features.is_some_and(|names| names.iter().any(|name| name == "resync"));
    let session = Arc::new(Session {
        hub,
        announced,
        visitor,
        subscriber: OnceLock::new(),
        waiting: AtomicBool::new(false),
        greeted: Arc::default(),
        link,
    });
    socket.extensions.insert(Arc::clone(&session));
    let leaving = Arc::clone(&session);
    // The permit stands before the arguments: those of a message too many are not read.
    socket.on_fallback(
        move |socket: SocketRef, _: Permit, Event(name): Event, args: TryData<Args>, ack: AckSender| {
            let later = receive(&session, &socket, &name, args.0.ok(), ack);
            async move {
                if let Some(later) = later {
                    later.await;
                }
            }
        },
    );
    socket.on_disconnect(move |_reason: DisconnectReason| {
        leaving.leave();
        std::future::ready(())
    });
    Ok(())
}

/// The token of a handshake. Pages without one often send `null` or nothing in it; what is no text is no good token.
fn token(auth: Option<&Value>) -> Option<&str> {
    match auth?.get("token")? {
        Value::Null => None,
        Value::String(token) if token.is_empty() => None,
        token => Some(token.as_str().unwrap_or_default()),
    }
}

/// The connect handler. It runs beside the reader, so a first packet may be answered before this greeting.
async fn greet(socket: SocketRef, Extension(session): Extension<Arc<Session>>) {
    session.greeted.store(true, Ordering::Release);
    let id = session.subscriber(&socket);
    let Some(subscriber) = session.hub.subscriber(id) else { return };
    let connected = Connected {
        socket_id: socket.id.as_str(),
        authenticated: session.visitor.is_authenticated(),
        cursor: session.hub.covered_for(&subscriber),
        server_time: session.hub.index().log_time(),
        features: FEATURES,
    };
    if let Err(error) = session.link.hand_over(&socket, "connected", &connected) {
        tracing::debug!(%error, "a client went before it was greeted");
        // Then the library's disconnect handler may have run before there was a subscriber to let go.
        session.leave();
    }
}

/// Work that a request leaves for after its handler has returned.
type Later = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Serves one packet. Joins and leaves have taken effect when this returns.
fn receive(
    session: &Arc<Session>,
    socket: &SocketRef,
    name: &str,
    args: Option<Args>,
    ack: AckSender,
) -> Option<Later> {
    let id = session.subscriber(socket);
    let subscriber = session.hub.subscriber(id)?;
    let request =
        Request { session: Arc::clone(session), socket: socket.clone(), subscriber, ack, told: Cell::new(0) };
    let args = args.unwrap_or_default();
    match name {
        "join_product" => request.join_product(&args),
        "leave_product" => request.leave_product(&args),
        "join_products" => return request.join_products(&args),
        "request_sync" => return request.request_sync(&args),
        "ping" => request.pong(),
        _ => request.unknown(),
    }
    None
}

impl Session {
    /// This connection's subscriber; made when it is first needed.
    fn subscriber(&self, socket: &SocketRef) -> SubscriberId {
        *self.subscriber.get_or_init(|| {
            let lane = SocketLane::new(socket.clone(), Arc::clone(&self.link), Arc::clone(&self.greeted));
            self.hub.connect(Box::new(lane), self.announced, self.visitor.expires_at()).id()
        })
    }

    /// Must not fail or block: the library forgets the socket only after this.
    fn leave(&self) {
        if let Some(id) = self.subscriber.get() {
            self.hub.disconnect(*id);
        }
    }

    /// Ends the connection, whose client abuses it.
    fn cut(&self) {
        match self.subscriber.get() {
            Some(id) => self.hub.cut(*id, "abuse"),
            None => self.hub.cut_session("abuse", || self.link.cut()),
        }
    }

    /// Takes the one place for waiting; false if it is taken.
    fn start_waiting(&self) -> bool {
        !self.waiting.swap(true, Ordering::AcqRel)
    }

    fn stop_waiting(&self) {
        self.waiting.store(false, Ordering::Release);
    }
}
