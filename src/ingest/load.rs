//! [`Load`]: how much is taken in at a time. Beyond that a publisher is told to come again, before a byte of its body is
//! read.
//!
//! How much that is, is found out: as much as is answered within [`TARGET`]. With a fixed number either a slow log lets
//! requests wait until their publishers give up, or a fast one is held back. What is refused costs little but not
//! nothing, so refusals are held back for a moment: whoever floods has his connections waiting, and what fits is served
//! nearly as fast as ever.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::web::Problem;

/// Bytes of bodies in one unit. A small request counts for one: it costs memory and time as well.
const UNIT_BYTES: usize = 8 * 1024;
/// The most that is ever taken in at a time: 8 MiB of bodies.
const UNITS_MAX: f64 = 1_024.0;
/// The least: a log that is far away, and slow for that reason alone, still gets hundreds of requests a second.
const UNITS_MIN: f64 = 64.0;
/// To begin with.
const UNITS_START: f64 = 256.0;
/// How long a request may take before fewer are taken in. An eighth of the log's own deadline.
const TARGET: Duration = Duration::from_millis(250);
/// What is left of the limit when a request took longer.
const BACK_OFF: f64 = 0.8;
/// For how long a refusal is held back, at least and at most.
const HOLD_MS: std::ops::Range<u64> = 250..750;
/// Refusals held back at a time; more are answered at once.
const HELD_MAX: usize = 8_192;
/// When those for whom there is no room are to come again.
const RETRY: Duration = Duration::from_secs(1);

/// The requests that are being read, parsed and appended. Cheap to clone; all clones are the same.
#[derive(Debug, Clone)]
pub struct Load(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    limit: f64,
    taken: f64,
    held: usize,
    /// Not before then is the limit lowered again: what is under way was taken in under the old one.
    lowered_until: Instant,
}

/// Room for one request, until it is dropped.
#[derive(Debug)]
pub(super) struct Room {
    load: Load,
    units: f64,
}

impl Default for Load {
    fn default() -> Self {
        let state = State { limit: UNITS_START, taken: 0.0, held: 0, lowered_until: Instant::now() };
        Self(Arc::new(Mutex::new(state)))
    }
}

impl Load {
    /// Takes room for a body of that many bytes.
    pub(super) async fn take(&self, bytes: usize) -> Result<Room, Problem> {
        let room = self.try_take(bytes);
        if room.is_none() {
            self.hold().await;
        }
        // Whoever has room goes to the end of the line: only so does it show when the processor is what is short.
        tokio::task::yield_now().await;
        room.ok_or_else(|| Problem::overloaded(RETRY))
    }

    fn try_take(&self, bytes: usize) -> Option<Room> {
        let mut state = self.0.lock();
        // One that is larger than all there is may go alone.
        let units = (bytes.div_ceil(UNIT_BYTES).max(1) as f64).min(state.limit.floor());
        if state.taken + units > state.limit {
            return None;
        }
        state.taken += units;
        Some(Room { load: self.clone(), units })
    }

    async fn hold(&self) {
        let held = {
            let mut state = self.0.lock();
            let room = state.held < HELD_MAX;
            state.held += usize::from(room);
            room.then(|| Held(self))
        };
        if held.is_some() {
            tokio::time::sleep(Duration::from_millis(rand::random_range(HOLD_MS))).await;
        }
    }
}

impl Room {
    /// The request was answered, so long after its body was there.
    pub(super) fn answered(self, after: Duration) {
        let mut state = self.load.0.lock();
        let now = Instant::now();
        if after > TARGET {
            if now >= state.lowered_until {
                state.limit = (state.limit * BACK_OFF).max(UNITS_MIN);
                state.lowered_until = now + TARGET;
            }
        } else if state.taken * 2.0 > state.limit {
            // One more for each round of answers, and only where the limit is what holds back.
            state.limit = (state.limit + self.units / state.limit).min(UNITS_MAX);
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.load.0.lock().taken -= self.units;
    }
}

/// A refusal that is held back.
struct Held<'a>(&'a Load);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.0.lock().held -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAST: Duration = Duration::from_millis(20);
    const SLOW: Duration = Duration::from_millis(400);

    fn limit(load: &Load) -> f64 {
        load.0.lock().limit
    }

    fn fill(load: &Load) -> Vec<Room> {
        std::iter::from_fn(|| load.try_take(100)).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_fit_is_refused_a_moment_later_and_told_when_to_come_again() {
        let load = Load::default();
        let rooms = fill(&load);
        assert_eq!(rooms.len(), 256);
        let asked = Instant::now();
        let refused = load.take(100).await.unwrap_err();
        assert!(refused.to_string().starts_with("overloaded"), "{refused}");
        assert!(asked.elapsed() >= Duration::from_millis(250));
        drop(rooms);
        assert!(load.take(100).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_log_that_slows_down_gets_less_and_one_that_is_fast_gets_more() {
        let load = Load::default();
        for _ in 0..20 {
            fill(&load).into_iter().for_each(|room| room.answered(SLOW));
            tokio::time::sleep(TARGET).await;
        }
        assert!(limit(&load) <= UNITS_MIN, "{}", limit(&load));
        for _ in 0..2_000 {
            fill(&load).into_iter().for_each(|room| room.answered(FAST));
        }
        assert!(limit(&load) > 500.0 && limit(&load) <= UNITS_MAX, "{}", limit(&load));
    }

    #[tokio::test(start_paused = true)]
    async fn a_quiet_gateway_does_not_learn_that_it_could_do_anything() {
        let load = Load::default();
        for _ in 0..10_000 {
            load.try_take(100).unwrap().answered(FAST);
        }
        assert!((limit(&load) - UNITS_START).abs() < f64::EPSILON);
    }

    #[tokio::test(start_paused = true)]
    async fn one_slow_round_is_one_step_back() {
        let load = Load::default();
        fill(&load).into_iter().for_each(|room| room.answered(SLOW));
        assert!((limit(&load) - UNITS_START * BACK_OFF).abs() < 1e-9);
    }

    #[tokio::test(start_paused = true)]
    async fn the_largest_body_finds_room_when_it_is_alone() {
        let load = Load::default();
        load.0.lock().limit = UNITS_MIN;
        let room = load.try_take(256 * 1024).unwrap();
        assert!(load.try_take(1).is_none());
        drop(room);
        assert!(load.try_take(1).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_gives_up_waiting_leaves_nothing_behind() {
        let load = Load::default();
        let rooms = fill(&load);
        let waiting = load.take(100);
        assert!(tokio::time::timeout(Duration::from_millis(10), waiting).await.is_err());
        drop(rooms);
        let state = load.0.lock();
        assert!(state.held == 0 && state.taken.abs() < f64::EPSILON);
    }
}
