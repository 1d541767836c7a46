//! [`Link`]: a session's way to its client, as the gateway sees and ends it. The library has no way to end one transport.
//!
//! A session lives on one WebSocket, or on many requests that name it (long-polling). The link stands with the request
//! that opened the session, which the library keeps for the session's life: it goes when the session goes.

use std::sync::{
    Arc, OnceLock, Weak,
    atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
};

use dashmap::DashMap;
use parking_lot::Mutex;
use serde::Serialize;
use socketioxide::{SendError, socket::Socket};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    frames::{self, Written},
    limits::Limits,
};
use crate::net::{Connection, Seat, Witness};

/// One session's way to its client.
// In this order: what each delivery looks at lies together.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Link {
    /// The WebSocket's.
    connection: OnceLock<Connection>,
    /// It carries the session: an upgrade to it is complete.
    is_upgraded: AtomicBool,
    events: Events,
    ended: CancellationToken,
    /// Where requests find it, and under which session id.
    listed: OnceLock<(Arc<Links>, String)>,
    seat: Mutex<Option<Seat>>,
    /// It has connected to the namespace.
    connected: AtomicBool,
    /// A request asks, or has asked, to make it a WebSocket.
    upgrading: AtomicBool,
    /// Bytes of batches queued since its last poll.
    unpolled_bytes: AtomicUsize,
    /// What its client may still do. They are the session's, so that a client that leaves and joins the namespace again
    /// does not begin anew.
    limits: Limits,
}

/// The sessions whose requests name them, by session id.
#[derive(Debug, Default)]
pub(super) struct Links(DashMap<String, Weak<Link>>);

impl Link {
    pub(super) fn new(seat: Option<Seat>) -> Arc<Self> {
        Arc::new(Self {
            connection: OnceLock::new(),
            is_upgraded: AtomicBool::new(false),
            events: Events::default(),
            ended: CancellationToken::new(),
            listed: OnceLock::new(),
            seat: Mutex::new(seat),
            connected: AtomicBool::new(false),
            upgrading: AtomicBool::new(false),
            unpolled_bytes: AtomicUsize::new(0),
            limits: Limits::new(Instant::now()),
        })
    }

    /// Its client has said more than that it is there.
    pub(super) fn connected(&self) {
        self.connected.store(true, Ordering::Release);
    }

    pub(super) fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Acquire)
    }

    /// Ends it if its client has only said that it is there.
    pub(super) fn end_unconnected(&self) -> bool {
        let idle = !self.is_connected() && !self.is_ended();
        if idle {
            self.cut();
        }
        idle
    }

    /// Whether its client does not poll, and anything queued to it would only take memory.
    pub(super) fn is_full(&self) -> bool {
        const UNPOLLED_BYTES_MAX: usize = 256 * 1024;
        self.unpolled_bytes.load(Ordering::Relaxed) > UNPOLLED_BYTES_MAX
    }

    /// A batch of that many bytes was queued to a client that polls.
    pub(super) fn queued(&self, bytes: usize) {
        self.unpolled_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// A poll was answered with these packets.
    pub(super) fn polled(&self, packets: &[u8]) {
        self.unpolled_bytes.store(0, Ordering::Relaxed);
        self.events.written.fetch_add(frames::polled_events(packets), Ordering::AcqRel);
    }

    /// What its client may still do.
    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The session is on this connection's WebSocket from here on.
    pub(super) fn carry(&self, connection: Connection) {
        self.keep(connection);
        self.upgraded();
    }

    /// The same for one that began by polling, once its upgrade is complete, which [`upgraded`](Self::upgraded) tells.
    pub(super) fn carry_upgraded(self: &Arc<Self>, connection: Connection) {
        connection.share(Arc::clone(self) as Arc<dyn Witness>);
        self.keep(connection);
    }

    /// Its WebSocket carries it from here on.
    pub(super) fn upgraded(&self) {
        self.is_upgraded.store(true, Ordering::Release);
    }

    fn keep(&self, connection: Connection) {
        let connection = self.connection.get_or_init(|| connection);
        // Asked after it is stored: either this finds the end, or the end finds the connection.
        if self.is_ended() {
            connection.close();
        }
    }

    /// A request is about to make it a WebSocket; false: one has, or is about to.
    pub(super) fn begin_upgrade(&self) -> bool {
        self.connection.get().is_none() && !self.upgrading.swap(true, Ordering::AcqRel)
    }

    /// That request was refused.
    pub(super) fn stop_upgrade(&self) {
        self.upgrading.store(false, Ordering::Release);
    }

    /// The connection of its WebSocket, if it has one; an upgrade to it may be under way.
    pub(super) fn connection(&self) -> Option<&Connection> {
        self.connection.get()
    }

    /// The connection that carries it, if one does. A session that polls has none, or not yet.
    pub(super) fn websocket(&self) -> Option<&Connection> {
        self.connection().filter(|_| self.is_upgraded.load(Ordering::Acquire))
    }

    /// Whether every event that was handed to the library has left by the WebSocket.
    pub(super) fn are_events_written(&self) -> bool {
        self.events.are_written()
    }

    /// Hands an event to the library. Every event goes through here or the short way, or order is lost.
    pub(super) fn hand_over(
        &self,
        socket: &Socket,
        event: &'static str,
        payload: &(impl Serialize + ?Sized),
    ) -> Result<(), SendError> {
        // Before: the library may write it before this comes back.
        self.events.handed.fetch_add(1, Ordering::AcqRel);
        socket.emit(event, payload).inspect_err(|_| {
            self.events.handed.fetch_sub(1, Ordering::AcqRel);
        })
    }

    /// Ends the session: a WebSocket after what is being written, a poll with its next request.
    pub(super) fn close(&self) {
        self.end();
        self.connection().into_iter().for_each(Connection::close);
    }

    /// Ends the session at once, also if its client reads nothing.
    pub(super) fn cut(&self) {
        self.end();
        self.connection().into_iter().for_each(Connection::cut);
    }

    fn end(&self) {
        self.ended.cancel();
        // The library may keep a session that polls until its heartbeat; its place is free from here on.
        self.seat.lock().take();
    }

    pub(super) fn is_ended(&self) -> bool {
        self.ended.is_cancelled()
    }

    pub(super) async fn ended(&self) {
        self.ended.cancelled().await;
    }
}

/// Events that the library was handed, and those of them that it has written.
///
/// The library queues what it is handed and writes it from a task of its own: a wake-up, a string and two copies for each.
/// The short way writes one shared frame to every connection instead. Both keep their order because the short way is taken
/// only when nothing is left on the long one.
#[derive(Debug, Default)]
struct Events {
    handed: AtomicU64,
    /// To the WebSocket, or as an answer to a poll.
    written: AtomicU64,
    /// The short way is closed for good.
    closed: AtomicBool,
}

impl Events {
    /// At least one: the greeting comes first.
    fn are_written(&self) -> bool {
        let written = self.written.load(Ordering::Acquire);
        written > 0 && written == self.handed.load(Ordering::Acquire) && !self.closed.load(Ordering::Acquire)
    }
}

impl Witness for Link {
    fn wrote(&self, bytes: &[u8]) {
        // The answer that makes it a WebSocket comes by as well. No frame begins with an H: it would have no end.
        if bytes.starts_with(b"HTTP/1.1 101 ") {
            return;
        }
        match frames::look(bytes) {
            Some(Written { events, closes: false }) => {
                self.events.written.fetch_add(events, Ordering::AcqRel);
            }
            // Nothing goes behind the frame that ends a connection, or into the middle of one.
            _ => self.events.closed.store(true, Ordering::Release),
        }
    }
}

impl Links {
    /// Lists a session under its id, for as long as it lives.
    pub(super) fn list(self: &Arc<Self>, sid: &str, link: &Arc<Link>) {
        if link.listed.set((Arc::clone(self), sid.to_owned())).is_ok() {
            self.0.insert(sid.to_owned(), Arc::downgrade(link));
        }
    }

    pub(super) fn get(&self, sid: &str) -> Option<Arc<Link>> {
        self.0.get(sid).and_then(|link| link.upgrade())
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let Some((links, sid)) = self.listed.get() {
            links.0.remove(sid);
        }
    }
}
