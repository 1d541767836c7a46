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

use super::link::Link;
use crate::{
    fanout::{Delivery, Lane, Parcel, PositionBeat, Resync},
    net::Connection,
    telemetry::Transport,
};

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

    /// Does something with the WebSocket's connection; a session that polls has none, or not yet.
    fn with_websocket<T>(&self, act: impl FnOnce(&Connection) -> T) -> Option<T> {
        let carried = self.socket.transport_type() == TransportType::Websocket;
        if carried { self.link.with_connection(act) } else { None }
    }

    /// Whether anything queued to it now would only take memory.
    fn is_full(&self) -> bool {
        self.with_websocket(Connection::is_full).unwrap_or_else(|| self.link.is_full())
    }

    fn emit(&self, event: &'static str, payload: &(impl Serialize + ?Sized)) -> Delivery {
        match self.socket.emit(event, payload) {
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
        let json = parcel.frame.json();
        if self.is_full() {
            return Delivery::Full;
        }
        let bytes = json.get().len();
        let noted = self.with_websocket(|connection| connection.expect_write(parcel.flushed, bytes));
        let sent = self.emit("batched_product_update", json);
        match noted {
            None if sent == Delivery::Sent => self.link.queued(bytes),
            Some(first) if sent != Delivery::Sent => {
                self.with_websocket(|connection| connection.expect_none(first, bytes));
            }
            _ => {}
        }
        sent
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
        !self.with_websocket(Connection::owes_write).unwrap_or(false)
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
