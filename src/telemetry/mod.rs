//! What the gateway tells about itself: [`Metrics`] and log lines. Measures; never decides.

mod logs;
mod metrics;

pub use self::logs::{LogFormat, init_logs};
pub use self::metrics::{ByTransport, LOG_FAILURES, Labelled, Metrics, Transport};
