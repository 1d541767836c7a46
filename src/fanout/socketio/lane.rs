//! [`SocketLane`]: a socket as the hub hands over to it.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use serde::Serialize;
use socketioxide::{SendError, SocketError, TransportType, extract::SocketRef, socket::Socket};
use tokio::time::Instant;

use super::{frames, link::Link};
use crate::{
    fanout::{Delivery, Lane, Parcel, PositionBeat, Resync},
    net::Connection,
    telemetry::Transport,
};

const BATCH: &str = "batched_product_update";

/// One socket. It holds the socket, and the socket never holds it, so that neither keeps the other alive.
pub(super) struct SocketLane {
    socket: SocketRef,
    link: Arc<Link>,
    /// Set by the connect handler. The library answers the client's CONNECT before it marks the socket connected;
    /// until the handler has run, a closed socket is one that is not open yet.
    greeted: Arc<AtomicBool>,
}

impl SocketLane {
    pub(super) fn new(socket: SocketRef, link: Arc<Link>, greeted: Arc<AtomicBool>) -> Self {
        Self { socket, link, greeted }
    }

    /// The WebSocket's connection; a session that polls has none, or not yet.
    fn websocket(&self) -> Option<&Connection> {
        let known = self.link.websocket();
        // The library is asked until an upgrade is complete, and not for each delivery: that lies elsewhere in memory.
        if known.is_none() && self.socket.transport_type() == TransportType::Websocket {
            self.link.upgraded();
            return self.link.websocket();
        }
        known
    }

    /// The short way, if it is open. Not before an upgrade is complete: a client takes whatever else comes on the new
    /// transport for a failed one. Not once the client has left the namespace, which it may enter anew on the same session.
    fn short_way(&self) -> Option<&Connection> {
        self.websocket().filter(|_| self.link.are_events_written() && self.socket.connected())
    }

    /// Whether anything queued to it now would only take memory.
    fn is_full(&self) -> bool {
        self.websocket().map_or_else(|| self.link.is_full(), Connection::is_full)
    }

    fn emit(&self, event: &'static str, payload: &impl Serialize) -> Delivery {
        match (self.short_way(), serde_json::to_string(payload)) {
            (Some(connection), Ok(json)) => {
                connection.send(&frames::event(event, &json), Instant::now()).into()
            }
            _ => self.hand_over(event, payload),
        }
    }

    fn hand_over(&self, event: &'static str, payload: &(impl Serialize + ?Sized)) -> Delivery {
        match self.link.hand_over(&self.socket, event, payload) {
            Ok(()) => Delivery::Sent,
            Err(SendError::Socket(SocketError::InternalChannelFull)) => Delivery::Full,
            Err(SendError::Socket(SocketError::Closed)) if !self.greeted.load(Ordering::Acquire) => {
                Delivery::Full
            }
            Err(SendError::Socket(SocketError::Closed)) => Delivery::Gone,
            Err(SendError::Serialize(error)) => {
                tracing::error!(%error, event, "a payload of ours does not serialise");
                Delivery::Full
            }
        }
    }

    /// Whether the library still has this socket in its namespace. It takes sockets out by session, and a client that
    /// leaves the namespace twice while it comes back gets its new socket taken out: marked connected for ever, and never
    /// told of as disconnected.
    fn is_known(&self) -> bool {
        let known = self.socket.broadcast().get_socket(self.socket.id);
        known.is_some_and(|known| std::ptr::eq::<Socket>(&*known, &*self.socket))
    }
}

impl Lane for SocketLane {
    fn transport(&self) -> Transport {
        Transport::SocketIo
    }

    fn frame(&self, parcel: &Parcel, _complete: bool) -> Delivery {
        if self.is_full() {
            return Delivery::Full;
        }
        if let Some(connection) = self.short_way() {
            let frame = parcel.websocket(|json| frames::event(BATCH, json));
            return connection.send(frame, parcel.flushed).into();
        }
        let json = parcel.frame.json();
        let bytes = json.get().len();
        let noted =
            self.websocket().map(|connection| (connection, connection.expect_write(parcel.flushed, bytes)));
        let delivery = self.hand_over(BATCH, json);
        match noted {
            None if delivery == Delivery::Sent => self.link.queued(bytes),
            Some((connection, first)) if delivery != Delivery::Sent => connection.expect_none(first, bytes),
            _ => {}
        }
        delivery
    }

    fn resync(&self, resync: &Resync, _complete: bool) -> Delivery {
        // One word when it drains, not one for each look at the debt.
        if self.is_full() { Delivery::Full } else { self.emit("resync_required", resync) }
    }

    fn beat(&self, beat: Option<&PositionBeat>) -> Delivery {
        // The library keeps the connection alive by itself.
        beat.map_or(Delivery::Sent, |beat| self.emit("position", beat))
    }

    fn is_flushed(&self) -> bool {
        !self.websocket().is_some_and(Connection::owes_write)
    }

    fn close(&self) {
        self.link.close();
    }

    fn cut(&self) {
        self.link.cut();
    }

    fn is_gone(&self) -> bool {
        self.greeted.load(Ordering::Acquire) && !(self.socket.connected() && self.is_known())
    }
}

impl fmt::Debug for SocketLane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A session id is a bearer secret: it stays out of logs.
        f.write_str("SocketLane")
    }
}
