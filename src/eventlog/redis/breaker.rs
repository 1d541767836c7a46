//! [`Breaker`]: whether it is worth asking a server that did not answer lately. Pure; time comes in as `now`.

use std::time::Duration;

use tokio::time::Instant;

/// Opens after failures in a row, lets one try through from time to time, and closes with the first success.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    failures: u32,
    /// When the next try may pass. `None`: closed, all pass.
    next_try: Option<Instant>,
}

impl Breaker {
    /// Failures in a row that open it (research: 3 consecutive). Each append is one, also of those that were under way together on
    /// a connection that broke, or in one call.
    const FAILURES: u32 = 3;
    /// Between two tries while it is open: short, so that publishers are taken again within a second.
    const RETRY: Duration = Duration::from_millis(200);

    /// Whether a try may pass now.
    pub(super) fn pass(&mut self, now: Instant) -> bool {
        match self.next_try {
            Some(next) if now < next => false,
            Some(_) => {
                self.next_try = Some(now + Self::RETRY);
                true
            }
            None => true,
        }
    }

    /// The server answered.
    pub(super) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// The server did not answer, or could not take anything.
    pub(super) fn failed(&mut self, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        if self.failures >= Self::FAILURES {
            self.next_try = Some(now + Self::RETRY);
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.next_try.is_some()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn three_failures_in_a_row_open_it_and_one_success_closes_it() {
        let (mut breaker, start) = (Breaker::default(), Instant::now());
        for _ in 0..2 {
            breaker.failed(start);
            assert!(breaker.pass(start));
        }
        breaker.failed(start);
        assert!(!breaker.pass(start), "open");
        let later = start + Breaker::RETRY;
        assert!(breaker.pass(later), "one try");
        assert!(!breaker.pass(later), "and only one");
        breaker.succeeded();
        assert!(breaker.pass(later) && breaker.pass(later));
    }
}
