//! How much time the end of a process takes. How it goes is `app`'s business.

use std::time::Duration;

/// How much time the end takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrainConfig {
    /// Serving on while load balancers learn that this pod is not ready any more.
    pub delay: Duration,
    /// Over which connections are closed, so that their clients do not come back all at once.
    pub spread: Duration,
    /// How long a connection may wait for its open windows before it is closed.
    pub flush: Duration,
}

impl DrainConfig {
    /// As fast as nothing is lost: for whoever sits at a terminal, and for what cannot be served on.
    pub const AT_ONCE: Self =
        Self { delay: Duration::ZERO, spread: Duration::ZERO, flush: Self::flush_of(Duration::ZERO) };
    /// What the end may take beyond the delay and the spread (contract section 8).
    pub const GRACE: Duration = Duration::from_secs(5);

    /// How long to wait for windows of that length: until they have closed and what they held was written. Not longer than
    /// the grace allows; who leaves before its window resumes from before it.
    pub const fn flush_of(window: Duration) -> Duration {
        const WRITTEN_MS: u128 = 1_000;
        // Beside it the grace holds the last requests, the library and the last answers (`app/drain.rs`), 1.2 s together. With a
        // Redis that stands still it holds 3 s more, and what waits longer than 0.8 s for its window is cut with all others.
        const MAX_MS: u128 = 3_800;
        let wanted = window.as_millis() + WRITTEN_MS;
        Duration::from_millis((if wanted < MAX_MS { wanted } else { MAX_MS }) as u64)
    }

    /// The same as fast as nothing is lost.
    pub fn at_once(self) -> Self {
        Self { flush: self.flush, ..Self::AT_ONCE }
    }

    /// After which the process ends, whatever is not done.
    pub fn longest(&self) -> Duration {
        self.delay + self.spread + Self::GRACE
    }
}
