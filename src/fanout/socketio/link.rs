//! [`Link`]: a session's way to its client, as the gateway sees and ends it. The library has no way to end one transport.
//!
//! A session lives on one WebSocket, or on many requests that name it (long-polling). The link stands with the request
//! that opened the session, which the library keeps for the session's life: it goes when the session goes.

use std::sync::{Arc, OnceLock, Weak};

use dashmap::DashMap;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::net::{Connection, Seat};

/// One session's way to its client.
#[derive(Debug)]
pub(super) struct Link {
    /// The WebSocket's.
    connection: Mutex<Option<Connection>>,
    ended: CancellationToken,
    /// Where requests find it, and under which session id.
    listed: OnceLock<(Arc<Links>, String)>,
    _seat: Seat,
}

/// The sessions whose requests name them, by session id.
#[derive(Debug, Default)]
pub(super) struct Links(DashMap<String, Weak<Link>>);

impl Link {
    pub(super) fn new(seat: Seat, connection: Option<Connection>) -> Arc<Self> {
        let (listed, ended) = (OnceLock::new(), CancellationToken::new());
        Arc::new(Self { connection: Mutex::new(connection), ended, listed, _seat: seat })
    }

    /// The session's WebSocket is on this connection from here on.
    pub(super) fn carry(&self, connection: Connection) {
        *self.connection.lock() = Some(connection);
    }

    /// Does something with the connection that carries it, if one does.
    pub(super) fn with_connection<T>(&self, act: impl FnOnce(&Connection) -> T) -> Option<T> {
        self.connection.lock().as_ref().map(act)
    }

    /// Ends the session: a WebSocket after what is being written, a poll with its next request.
    pub(super) fn close(&self) {
        self.ended.cancel();
        self.with_connection(Connection::close);
    }

    /// Ends the session at once, also if its client reads nothing.
    pub(super) fn cut(&self) {
        self.ended.cancel();
        self.with_connection(Connection::cut);
    }

    pub(super) fn is_ended(&self) -> bool {
        self.ended.is_cancelled()
    }

    pub(super) async fn ended(&self) {
        self.ended.cancelled().await;
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
