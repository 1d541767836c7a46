//! [`Connections`]: all that are open, who may come, and who has taken too long.
//!
//! One look a second at every connection takes the place of a timer in each.

use std::{
    collections::VecDeque,
    fmt,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use dashmap::DashMap;
use parking_lot::Mutex;
use tokio::time::{MissedTickBehavior, timeout};
use tokio_util::sync::CancellationToken;

use super::{Connection, Deadlines, NoSeat, Seat, Seats};
use crate::telemetry::Metrics;

/// Whose a connection is, for the cap on each address; `None`: a proxy's, and many clients'.
pub type Owner = Arc<dyn Fn(IpAddr) -> Option<IpAddr> + Send + Sync>;

/// The open connections.
pub struct Connections {
    open: DashMap<u64, Connection>,
    seats: Seats,
    owner: Owner,
    deadlines: Deadlines,
    /// Those that had not sent a request when they were last looked at, oldest first. As many as there are seats.
    newcomers: Mutex<VecDeque<(u64, Connection)>>,
    last_id: AtomicU64,
    metrics: Arc<Metrics>,
}

/// One connection's place in the list, until it is dropped.
#[derive(Debug)]
pub(super) struct Held {
    id: u64,
    connection: Connection,
    connections: Arc<Connections>,
    _seat: Seat,
}

/// How often every connection is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long one that is to make room may take to go.
const ROOM_TIMEOUT: Duration = Duration::from_millis(100);

impl Connections {
    /// No connection yet; as many as there are seats may come.
    pub fn new(seats: Seats, owner: Owner, deadlines: Deadlines, metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self {
            open: DashMap::new(),
            seats,
            owner,
            deadlines,
            newcomers: Mutex::default(),
            last_id: AtomicU64::new(0),
            metrics,
        })
    }

    /// Takes in a new one. When all seats are taken, the one that has kept its request to itself for longest makes
    /// room: whoever opens connections to block them loses them first, and a publisher still comes through.
    pub(super) async fn admit(self: &Arc<Self>, peer: SocketAddr) -> Result<Held, NoSeat> {
        let owner = (self.owner)(peer.ip());
        let seat = match self.seats.take(owner) {
            Err(NoSeat::Full) if self.make_room() => {
                let _came_or_not = timeout(ROOM_TIMEOUT, self.seats.freed()).await;
                self.seats.take(owner)?
            }
            seat => seat?,
        };
        let connection = Connection::new(peer, self.metrics.flush_to_written.clone());
        let id = self.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        self.metrics.tcp_connections.increment(1.0);
        self.open.insert(id, connection.clone());
        self.newcomers.lock().push_back((id, connection.clone()));
        Ok(Held { id, connection, connections: Arc::clone(self), _seat: seat })
    }

    fn make_room(&self) -> bool {
        let mut newcomers = self.newcomers.lock();
        while let Some((_, connection)) = newcomers.pop_front() {
            if connection.is_newcomer() {
                self.cut(&connection, "room");
                return true;
            }
        }
        false
    }

    /// Looks at every connection once a second and cuts those that are overdue, until `stop`.
    pub async fn watch(self: Arc<Self>, stop: CancellationToken) {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = looks.tick() => self.look(),
                () = stop.cancelled() => return,
            }
        }
    }

    fn look(&self) {
        for connection in &self.open {
            if let Some(overdue) = self.deadlines.overdue(&connection.standing()) {
                self.cut(&connection, overdue.as_str());
            }
        }
        self.newcomers
            .lock()
            .retain(|(id, connection)| connection.is_newcomer() && self.open.contains_key(id));
    }

    /// Cuts whatever is still open: the process is about to end.
    pub fn cut_all(&self) {
        self.open.iter().for_each(|connection| self.cut(&connection, "end"));
    }

    fn cut(&self, connection: &Connection, reason: &str) {
        if !connection.is_cut() {
            self.metrics.connections_cut.of(reason).increment(1);
            connection.cut();
        }
    }
}

impl Held {
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(super) fn count_in(&self, bytes: usize) {
        self.connections.metrics.bytes_in.increment(bytes as u64);
    }

    pub(super) fn count_out(&self, bytes: usize) {
        self.connections.metrics.bytes_out.increment(bytes as u64);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.connections.open.remove(&self.id);
        self.connections.metrics.tcp_connections.decrement(1.0);
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections").field("open", &self.open.len()).finish()
    }
}
