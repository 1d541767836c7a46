//! What the gateway tells about itself: [`Metrics`], log lines, panics. Measures; never decides.

mod logs;
mod metrics;
mod panics;

pub use self::logs::{LogFormat, init_logs};
pub use self::metrics::{
    ByTransport, LOG_FAILURES, Labelled, Metrics, States, Transport, WEBHOOK_PLATFORMS, Webhooks,
};
pub use self::panics::watch_panics;
