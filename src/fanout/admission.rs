//! [`Admission`]: who may open a session, of either transport. Says nothing about TCP connections: those are `net`'s.
//!
//! A session is refused before any work is done for it, and always in words that make the client come back.

use std::{
    net::IpAddr,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::{
    net::{NoSeat, Seat, Seats},
    rate::{Rate, TokenBucket},
    telemetry::Metrics,
    web::Problem,
};

/// The door for sessions.
#[derive(Debug)]
pub struct Admission {
    seats: Seats,
    pace: Mutex<TokenBucket>,
    closed: AtomicBool,
}

/// Why a session was not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAdmitted {
    /// This process is about to end; another one takes it.
    #[error("this process is about to end")]
    Draining,
    /// There are as many sessions as there may be, or as that address may have.
    #[error("no session is free")]
    NoSeat(#[from] NoSeat),
    /// Many come at once; there is room in a moment.
    #[error("too many come at once")]
    TooFast(Duration),
}

/// New sessions: when everybody comes back at once, those who are here already are served on, and the last of 50,000
/// is back within half a minute.
const PACE: Rate = Rate { burst: 2_000.0, per_sec: 2_000.0 };
/// When those who found no seat are to try again.
const SEAT_RETRY: Duration = Duration::from_secs(5);
/// When those who came too fast or too late are to try again.
const SOON: Duration = Duration::from_secs(1);

impl Admission {
    /// A door to that many seats.
    pub fn new(seats: Seats) -> Self {
        let pace = Mutex::new(TokenBucket::new(PACE, Instant::now()));
        Self { seats, pace, closed: AtomicBool::new(false) }
    }

    /// Takes a seat for a session of `address`, if that is known.
    pub fn admit(&self, address: Option<IpAddr>, metrics: &Metrics) -> Result<Seat, NotAdmitted> {
        let admitted = self.try_admit(address);
        if let Err(refused) = &admitted {
            metrics.sessions_refused.of(refused.as_str()).increment(1);
        }
        admitted
    }

    fn try_admit(&self, address: Option<IpAddr>) -> Result<Seat, NotAdmitted> {
        if self.closed.load(Ordering::Acquire) {
            return Err(NotAdmitted::Draining);
        }
        let seat = self.seats.take(address)?;
        self.pace.lock().take(Instant::now()).map_err(NotAdmitted::TooFast)?;
        Ok(seat)
    }

    /// Lets nobody in from here on.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }
}

impl NotAdmitted {
    /// Why, as metrics name it.
    pub const REASONS: [&str; 4] = ["draining", "full", "address_full", "too_fast"];

    fn as_str(self) -> &'static str {
        match self {
            Self::Draining => "draining",
            Self::NoSeat(NoSeat::Full) => "full",
            Self::NoSeat(NoSeat::AddressFull) => "address_full",
            Self::TooFast(_) => "too_fast",
        }
    }

    /// When it is worth trying again.
    pub fn retry_after(self) -> Duration {
        match self {
            Self::Draining => SOON,
            Self::NoSeat(_) => SEAT_RETRY,
            Self::TooFast(wait) => wait.max(SOON),
        }
    }
}

impl From<NotAdmitted> for Problem {
    fn from(refused: NotAdmitted) -> Self {
        match refused {
            NotAdmitted::Draining => Self::draining(refused.retry_after()),
            NotAdmitted::NoSeat(_) | NotAdmitted::TooFast(_) => Self::overloaded(refused.retry_after()),
        }
    }
}
