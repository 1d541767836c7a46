//! [`Load`]: how much is taken in at a time. Beyond that a publisher is told to come again.
//!
//! Two bounds, both in bytes of bodies. One on all that is here, being read or waiting: what does not fit is refused
//! before a byte of it is read. It is wide for a burst, and a quarter of that for a flood, which is what filled it and
//! goes on: the fewer requests are under way at once, the less each costs. The other on what is parsed and appended at a
//! time: the rest waits in line, so that the log is not given more than it answers before its deadline.
//!
//! Refusing costs little but not nothing, so refusals are held back for a moment: whoever floods has his connections
//! waiting, and what fits is served nearly as fast as ever.

use std::{
    sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    time::Duration,
};

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};

use crate::web::Problem;

/// Bytes in one unit. A small request counts for one: it costs memory and time as well.
const UNIT_BYTES: usize = 8 * 1024;
/// All that is here: 8 MiB of bodies, or a thousand small requests.
const BURST_UNITS: u32 = 1_024;
/// All that is here once that was too little, until nearly nothing is. A thousand requests under way cost half as much
/// again each as these do (`overload` in docs/security.md): their memory does not fit into the processor's.
const FLOOD_UNITS: u32 = 256;
/// With so much here a flood is over.
const CALM_UNITS: u32 = 64;
/// What is parsed and appended at a time: a thousand events or so, which even a slow log appends in a quarter second.
const AT_WORK_UNITS: u32 = 128;
/// How long a request may wait in line. With its append (2 s at most) it is answered before its publisher gives up.
const IN_LINE_MAX: Duration = Duration::from_millis(500);
/// For how long a refusal is held back.
const HOLD_MS: std::ops::Range<u64> = 1_000..2_000;
/// Refusals held back at a time; more are answered at once.
const HELD_MAX: usize = 8_192;
/// When those for whom there is no room are to come again.
const RETRY: Duration = Duration::from_secs(1);

/// The requests that are being read, parsed and appended.
#[derive(Debug)]
pub struct Load {
    here: Here,
    at_work: Semaphore,
    held: Semaphore,
}

impl Default for Load {
    fn default() -> Self {
        Self {
            here: Here::default(),
            at_work: Semaphore::new(AT_WORK_UNITS as usize),
            held: Semaphore::new(HELD_MAX),
        }
    }
}

impl Load {
    /// Takes room for a body of that many bytes, to be kept until the answer.
    pub(super) async fn enter(&self, bytes: usize) -> Result<Room<'_>, Problem> {
        match self.here.enter(units(bytes)) {
            Some(room) => Ok(room),
            None => Err(self.refuse().await),
        }
    }

    /// Waits in line to be parsed and appended.
    pub(super) async fn begin(&self, bytes: usize) -> Result<SemaphorePermit<'_>, Problem> {
        let units = units(bytes);
        // Whoever need not wait needs no timer. Nobody is overtaken by it: what is given back goes to the line first.
        let turn = match self.at_work.try_acquire_many(units) {
            Ok(turn) => Some(turn),
            Err(_) => timeout(IN_LINE_MAX, self.at_work.acquire_many(units)).await.ok().and_then(Result::ok),
        };
        // A log in memory answers without waiting. Going to the end of the processor's line here makes requests meet in
        // the other line when it is the processor that is short.
        tokio::task::yield_now().await;
        match turn {
            Some(turn) => Ok(turn),
            None => Err(self.refuse().await),
        }
    }

    /// Whether more than half of the room is taken.
    pub(super) fn is_crowded(&self) -> bool {
        self.here.units.load(Relaxed) > self.here.most() / 2
    }

    async fn refuse(&self) -> Problem {
        if let Ok(_held) = self.held.try_acquire() {
            tokio::time::sleep(Duration::from_millis(rand::random_range(HOLD_MS))).await;
        }
        Problem::overloaded(RETRY)
    }
}

/// What is here.
#[derive(Debug, Default)]
struct Here {
    units: AtomicU32,
    /// There was no room, and it has not been nearly empty since.
    is_flood: AtomicBool,
}

/// A request's part of what is here, until it is dropped.
#[derive(Debug)]
pub(super) struct Room<'a> {
    here: &'a Here,
    units: u32,
}

impl Here {
    fn most(&self) -> u32 {
        if self.is_flood.load(Relaxed) { FLOOD_UNITS } else { BURST_UNITS }
    }

    fn enter(&self, units: u32) -> Option<Room<'_>> {
        let fits = |here: u32| Some(here + units).filter(|sum| *sum <= self.most());
        let entered = self.units.fetch_update(Relaxed, Relaxed, fits).is_ok();
        if !entered {
            self.is_flood.store(true, Relaxed);
        }
        entered.then(|| Room { here: self, units })
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        let left = self.here.units.fetch_sub(self.units, Relaxed) - self.units;
        if left <= CALM_UNITS && self.here.is_flood.load(Relaxed) {
            self.here.is_flood.store(false, Relaxed);
        }
    }
}

fn units(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(AT_WORK_UNITS).clamp(1, AT_WORK_UNITS)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::time::Instant;

    use super::*;

    fn fill(semaphore: &Semaphore) -> Vec<SemaphorePermit<'_>> {
        std::iter::from_fn(|| semaphore.try_acquire().ok()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_fit_is_refused_a_moment_later() {
        let load = Load::default();
        let here: Vec<_> = std::iter::from_fn(|| load.here.enter(1)).collect();
        assert_eq!(here.len(), 1_024);
        let asked = Instant::now();
        let refused = load.enter(100).await.unwrap_err();
        assert!(refused.to_string().starts_with("overloaded"), "{refused}");
        assert!(asked.elapsed() >= Duration::from_secs(1));
        drop(here);
        assert!(load.enter(100).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_waits_in_line_and_is_served() {
        let load = Arc::new(Load::default());
        let mut served = tokio::task::JoinSet::new();
        for _ in 0..1_000 {
            let load = Arc::clone(&load);
            served.spawn(async move {
                let _here = load.enter(100).await?;
                let _turn = load.begin(100).await?;
                tokio::time::sleep(Duration::from_millis(20)).await;
                Ok::<_, Problem>(())
            });
        }
        assert!(served.join_all().await.iter().all(Result::is_ok));
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_too_long_is_refused() {
        let load = Load::default();
        let at_work = fill(&load.at_work);
        assert!(load.begin(100).await.is_err());
        drop(at_work);
        assert!(load.begin(100).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_body_takes_its_share_of_the_room() {
        let load = Load::default();
        let largest = load.enter(256 * 1024).await.unwrap();
        assert_eq!(load.here.units.load(Relaxed), 32);
        drop(largest);
        assert_eq!(load.here.units.load(Relaxed), 0);
    }

    #[test]
    fn a_flood_gets_a_quarter_of_the_room_until_it_is_over() {
        let here = Here::default();
        let mut rooms: Vec<_> = std::iter::from_fn(|| here.enter(1)).collect();
        rooms.truncate(256);
        assert!(here.enter(1).is_none());
        rooms.truncate(255);
        rooms.extend(here.enter(1));
        assert_eq!(rooms.len(), 256, "one left, one came");
        rooms.truncate(64);
        rooms.extend(std::iter::from_fn(|| here.enter(1)));
        assert_eq!(rooms.len(), 1_024, "a burst is taken again");
    }
}
