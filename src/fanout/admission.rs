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
    web::{AddressBuckets, Problem},
};

/// The door for sessions.
#[derive(Debug)]
pub struct Admission {
    seats: Seats,
    pace: Mutex<TokenBucket>,
    /// The same for each address, where addresses are counted at all.
    pace_per_address: Option<AddressBuckets>,
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
    TooFast,
}

/// New sessions: when everybody comes back at once, those who are here already are served on, and the last of 50,000
/// is back within half a minute.
const PACE: Rate = Rate { burst: 2_000.0, per_sec: 2_000.0 };
/// When those who found no seat are to try again.
const SEAT_RETRY: Duration = Duration::from_secs(5);
/// When those who came too fast or too late are to try again.
const SOON: Duration = Duration::from_secs(1);

impl Admission {
    /// A door to so many sessions, of which one address may have so many.
    pub fn new(sessions_max: usize, per_address_max: Option<usize>) -> Self {
        let pace_per_address = per_address_max.map(|max| {
            // All of them at once, and again in ten seconds.
            let burst = max as f64;
            AddressBuckets::new(Rate { burst, per_sec: burst / 10.0 })
        });
        Self {
            seats: Seats::new(sessions_max, per_address_max),
            pace: Mutex::new(TokenBucket::new(PACE, Instant::now())),
            pace_per_address,
            closed: AtomicBool::new(false),
        }
    }

    /// Takes a seat for a session of `address`, if that is known. Whoever gets in says so with
    /// [`admitted`](Self::admitted); what turns out to be no session costs the others nothing.
    pub fn admit(&self, address: Option<IpAddr>, metrics: &Metrics) -> Result<Seat, NotAdmitted> {
        let admitted = self.try_admit(address, Instant::now());
        if let Err(refused) = &admitted {
            metrics.sessions_refused.of(refused.as_str()).increment(1);
        }
        admitted
    }

    fn try_admit(&self, address: Option<IpAddr>, now: Instant) -> Result<Seat, NotAdmitted> {
        if self.closed.load(Ordering::Acquire) {
            return Err(NotAdmitted::Draining);
        }
        if let (Some(pace), Some(address)) = (&self.pace_per_address, address)
            && pace.is_spent(address, now)
        {
            return Err(NotAdmitted::TooFast);
        }
        let seat = self.seats.take(address)?;
        if self.pace.lock().is_spent(now) {
            return Err(NotAdmitted::TooFast);
        }
        Ok(seat)
    }

    /// A session has begun.
    pub fn admitted(&self, address: Option<IpAddr>) {
        let now = Instant::now();
        self.pace.lock().spend(1.0, now);
        if let (Some(pace), Some(address)) = (&self.pace_per_address, address) {
            let _in_time_or_not = pace.take(address, now);
        }
    }

    /// Lets nobody in from here on.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }
}

impl NotAdmitted {
    fn as_str(self) -> &'static str {
        match self {
            Self::Draining => "draining",
            Self::NoSeat(NoSeat::Full) => "full",
            Self::NoSeat(NoSeat::AddressFull) => "address_full",
            Self::TooFast => "too_fast",
        }
    }

    /// When it is worth trying again.
    pub fn retry_after(self) -> Duration {
        match self {
            Self::Draining | Self::TooFast => SOON,
            Self::NoSeat(_) => SEAT_RETRY,
        }
    }
}

impl From<NotAdmitted> for Problem {
    fn from(refused: NotAdmitted) -> Self {
        match refused {
            NotAdmitted::Draining => Self::draining(refused.retry_after()),
            NotAdmitted::NoSeat(_) | NotAdmitted::TooFast => Self::overloaded(refused.retry_after()),
        }
    }
}
