//! How much time the end of a process takes. How it goes is `app`'s business.

use std::time::Duration;

/// How much time the end takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrainConfig {
    /// Serving on while load balancers learn that this pod is not ready any more.
    pub delay: Duration,
    /// Over which connections are closed, so that their clients do not come back all at once.
    pub spread: Duration,
}

impl DrainConfig {
    /// As fast as nothing is lost: for whoever sits at a terminal, and for what cannot be served on.
    pub const AT_ONCE: Self = Self { delay: Duration::ZERO, spread: Duration::ZERO };
    /// What the end may take beyond the delay and the spread (contract section 8).
    pub const GRACE: Duration = Duration::from_secs(5);

    /// After which the process ends, whatever is not done.
    pub fn longest(&self) -> Duration {
        self.delay + self.spread + Self::GRACE
    }
}
