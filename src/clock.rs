//! The one place that reads the wall clock. Does not schedule anything: deadlines are tokio's monotonic time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use crate::model::LogTime;

/// Wall time. Cheap to copy.
#[derive(Debug, Clone, Copy)]
pub struct Clock(Source);

#[derive(Debug, Clone, Copy)]
enum Source {
    System,
    /// Moves with tokio's time, so that a test that pauses time holds the wall clock too.
    Tokio {
        start: Instant,
        start_time: LogTime,
    },
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that shows `start_time` now and moves with tokio's time from here.
    pub fn from_tokio(start_time: LogTime) -> Self {
        Self(Source::Tokio { start: Instant::now(), start_time })
    }

    /// The time now.
    pub fn now(&self) -> LogTime {
        match self.0 {
            #[expect(clippy::disallowed_methods, reason = "the one reader of the wall clock")]
            Source::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
                LogTime::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
            }
            Source::Tokio { start, start_time } => {
                let passed = i64::try_from(start.elapsed().as_micros()).unwrap_or(i64::MAX);
                LogTime::from_micros(start_time.micros().saturating_add(passed))
            }
        }
    }
}
