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
use tokio::time::{Instant, MissedTickBehavior, timeout_at};
use tokio_util::sync::CancellationToken;

use super::{Connection, Deadlines, NoSeat, Overdue, Seat, Seats};
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
    newcomers: Mutex<VecDeque<Connection>>,
    /// Those that waited for a next request then, longest first. Looked for only while seats are scarce.
    idlers: Mutex<VecDeque<Connection>>,
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
            idlers: Mutex::default(),
            last_id: AtomicU64::new(0),
            metrics,
        })
    }

    /// Takes in a new one. When all seats are taken, the one that has kept its request to itself for longest makes
    /// room, or else the one that has had nothing to ask for longest: whoever holds connections to block them loses them
    /// first, and a publisher still comes through.
    pub(super) async fn admit(self: &Arc<Self>, peer: SocketAddr) -> Result<Held, NoSeat> {
        let seat = self.seat((self.owner)(peer.ip())).await?;
        let connection = Connection::new(peer, Arc::clone(&self.metrics));
        let id = self.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        self.metrics.tcp_connections.increment(1.0);
        self.open.insert(id, connection.clone());
        self.newcomers.lock().push_back(connection.clone());
        Ok(Held { id, connection, connections: Arc::clone(self), _seat: seat })
    }

    async fn seat(&self, owner: Option<IpAddr>) -> Result<Seat, NoSeat> {
        let deadline = Instant::now() + ROOM_TIMEOUT;
        let mut asked = false;
        loop {
            match self.seats.take(owner) {
                Err(NoSeat::Full) if asked || self.make_room() => asked = true,
                seat => return seat,
            }
            // May return for a seat that was freed before; then it is waited for again.
            timeout_at(deadline, self.seats.freed()).await.map_err(|_late| NoSeat::Full)?;
        }
    }

    fn make_room(&self) -> bool {
        let newcomer = next(&self.newcomers, Connection::is_newcomer);
        let idle = || next(&self.idlers, Connection::is_idle);
        let Some(connection) = newcomer.or_else(idle) else { return false };
        self.cut(&connection, "room");
        true
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
        let mut idlers = Vec::new();
        let (crowded, now) = (self.seats.is_crowded(), Instant::now());
        for connection in &self.open {
            let standing = connection.standing(now);
            match self.deadlines.overdue(&standing) {
                // Its next request may be on its way: it ends as HTTP ends it, if that comes in time.
                Some(Overdue::Idle) => self.close(&connection),
                Some(overdue) => self.cut(&connection, overdue.as_str()),
                None if crowded && connection.is_idle() => {
                    idlers.push((standing.rested(), connection.clone()))
                }
                None => connection.nudge(),
            }
        }
        self.newcomers.lock().retain(Connection::is_newcomer);
        idlers.sort_unstable_by_key(|(rested, _)| std::cmp::Reverse(*rested));
        *self.idlers.lock() = idlers.into_iter().map(|(_, connection)| connection).collect();
    }

    fn close(&self, connection: &Connection) {
        if !connection.is_closing() {
            self.metrics.connections_cut.of(Overdue::Idle.as_str()).increment(1);
            connection.close();
        }
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

/// The first of those waiting of whom that is still true.
fn next(waiting: &Mutex<VecDeque<Connection>>, still: impl Fn(&Connection) -> bool) -> Option<Connection> {
    let mut waiting = waiting.lock();
    std::iter::from_fn(|| waiting.pop_front()).find(still)
}

impl Held {
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(super) fn count_in(&self, bytes: usize) {
        self.connections.metrics.bytes_in.increment(bytes as u64);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Nobody waits for it any more, in whatever list it still stands.
        self.connection.cut();
        self.connections.open.remove(&self.id);
        self.connections.metrics.tcp_connections.decrement(1.0);
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections").field("open", &self.open.len()).finish()
    }
}
