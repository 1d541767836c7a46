//! [`Link`]: a client with the knowledge whether its connection is up. Does not connect by itself: the client does.

use std::time::Duration;

use fred::{
    clients::Client,
    error::{Error, ErrorKind},
    interfaces::{ClientLike, EventInterface},
    types::config::Server,
};
use parking_lot::{Mutex, MutexGuard};
use tokio::{
    sync::broadcast::{Receiver, error::TryRecvError},
    time::Instant,
};

use super::without_args;

/// A client and what it told of its connection.
///
/// The client's own state says "connected" until it begins to connect anew, a while after the connection broke, and
/// what is sent in between waits for the new connection. Its events tell at once.
pub struct Link {
    client: Client,
    told: Mutex<Told>,
}

struct Told {
    up: bool,
    breaks: u64,
    last_break: Option<Instant>,
    errors: Receiver<(Error, Option<Server>)>,
    reconnects: Receiver<Server>,
    last_error: Option<String>,
}

impl Link {
    /// How long after an error the client's own state can be believed: by then it has begun to connect anew, or has no
    /// need to.
    const SETTLED: Duration = Duration::from_millis(500);

    /// Begins to connect, in the background.
    pub(super) fn new(client: Client) -> Self {
        let told = Told {
            up: false,
            breaks: 0,
            last_break: None,
            errors: client.error_rx(),
            reconnects: client.reconnect_rx(),
            last_error: None,
        };
        client.connect();
        Self { client, told: Mutex::new(told) }
    }

    /// The client, if its connection is up.
    pub fn up(&self) -> Option<&Client> {
        let told = self.listen();
        // A cluster that lost a node it does not need tells of an error and of no reconnection.
        let settled = || told.last_break.is_some_and(|at| at.elapsed() >= Self::SETTLED);
        (told.up || self.client.is_connected() && settled()).then_some(&self.client)
    }

    /// How often the connection broke, could not be made, or was made anew. What is tied to a connection ends with it.
    pub fn breaks(&self) -> u64 {
        self.listen().breaks
    }

    /// The client itself, whether its connection is up or not.
    pub fn handle(&self) -> &Client {
        &self.client
    }

    fn listen(&self) -> MutexGuard<'_, Told> {
        let mut told = self.told.lock();
        // Errors first: a connection that breaks comes back only later. Taken the wrong way round after a pause of this
        // process, a broken connection counts as up, and commands find out by themselves.
        while let Some((error, _)) = next(&mut told.errors) {
            told.up = false;
            told.breaks += 1;
            told.last_break = Some(Instant::now());
            told.last_error = Some(without_args(&error.to_string()).to_owned());
        }
        while next(&mut told.reconnects).is_some() {
            told.up = true;
            told.breaks += 1;
        }
        told
    }

    /// The same as [`up`](Self::up) for those who treat no connection as they treat every other error.
    pub fn client(&self) -> Result<&Client, Error> {
        self.up().ok_or_else(|| Error::new(ErrorKind::Canceled, "there is no connection"))
    }

    /// Why the connection is not up, as far as the client told.
    pub fn last_error(&self) -> Option<String> {
        self.listen().last_error.clone()
    }

    /// Waits until the connection was up once.
    pub async fn connected(&self) -> Result<(), Error> {
        self.client.wait_for_connect().await
    }

    /// Ends the connection.
    pub async fn close(&self) {
        // A connection that does not end properly ends with the process.
        let _ = self.client.quit().await;
    }
}

/// The next event; those that were overwritten do not matter, only what came last does.
fn next<T: Clone>(events: &mut Receiver<T>) -> Option<T> {
    loop {
        match events.try_recv() {
            Ok(event) => return Some(event),
            Err(TryRecvError::Lagged(_)) => {}
            Err(TryRecvError::Empty | TryRecvError::Closed) => return None,
        }
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Link")
    }
}
