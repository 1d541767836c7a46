//! [`Load`]: how much is taken in at a time. Beyond that a publisher is told to come again.
//!
//! Two bounds, both in bytes of bodies. One on all that is here, being read or waiting: what does not fit is refused
//! before a byte of it is read. One on what is parsed and appended at a time: the rest waits in line, so that the log is
//! not given more than it answers before its deadline. Refusing costs little but not nothing, so refusals are held back
//! for a moment: whoever floods has his connections waiting, and what fits is served nearly as fast as ever.

use std::time::Duration;

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};

use crate::web::Problem;

/// Bytes in one unit. A small request counts for one: it costs memory and time as well.
const UNIT_BYTES: usize = 8 * 1024;
/// All that is here: 8 MiB of bodies, or a thousand small requests.
const HERE_UNITS: usize = 1_024;
/// What is parsed and appended at a time: a thousand events or so, which even a slow log appends in a quarter second.
const AT_WORK_UNITS: usize = 128;
/// How long a request may wait in line. With its append (2 s at most) it is answered before its publisher gives up.
const IN_LINE_MAX: Duration = Duration::from_millis(500);
/// For how long a refusal is held back.
const HOLD_MS: std::ops::Range<u64> = 500..1_500;
/// Refusals held back at a time; more are answered at once.
const HELD_MAX: usize = 8_192;
/// When those for whom there is no room are to come again.
const RETRY: Duration = Duration::from_secs(1);

/// The requests that are being read, parsed and appended.
#[derive(Debug)]
pub struct Load {
    here: Semaphore,
    at_work: Semaphore,
    held: Semaphore,
}

impl Default for Load {
    fn default() -> Self {
        Self {
            here: Semaphore::new(HERE_UNITS),
            at_work: Semaphore::new(AT_WORK_UNITS),
            held: Semaphore::new(HELD_MAX),
        }
    }
}

impl Load {
    /// Takes room for a body of that many bytes, to be kept until the answer.
    pub(super) async fn enter(&self, bytes: usize) -> Result<SemaphorePermit<'_>, Problem> {
        match self.here.try_acquire_many(units(bytes)) {
            Ok(room) => Ok(room),
            Err(_full) => Err(self.refuse().await),
        }
    }

    /// Waits in line to be parsed and appended.
    pub(super) async fn begin(&self, bytes: usize) -> Result<SemaphorePermit<'_>, Problem> {
        let turn = timeout(IN_LINE_MAX, self.at_work.acquire_many(units(bytes))).await;
        // A log in memory answers without waiting. Going to the end of the processor's line here makes requests meet in
        // the other line when it is the processor that is short.
        tokio::task::yield_now().await;
        match turn {
            Ok(Ok(turn)) => Ok(turn),
            Ok(Err(_)) | Err(_) => Err(self.refuse().await),
        }
    }

    async fn refuse(&self) -> Problem {
        if let Ok(_held) = self.held.try_acquire() {
            tokio::time::sleep(Duration::from_millis(rand::random_range(HOLD_MS))).await;
        }
        Problem::overloaded(RETRY)
    }
}

fn units(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT_BYTES).clamp(1, AT_WORK_UNITS)).unwrap_or(1)
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
        let here = fill(&load.here);
        assert_eq!(here.len(), 1_024);
        let asked = Instant::now();
        let refused = load.enter(100).await.unwrap_err();
        assert!(refused.to_string().starts_with("overloaded"), "{refused}");
        assert!(asked.elapsed() >= Duration::from_millis(500));
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
        assert_eq!(load.here.available_permits(), 1_024 - 32);
        drop(largest);
        assert_eq!(load.here.available_permits(), 1_024);
    }
}
