//! What the gateway tells about itself: [`Metrics`], log lines, panics. Measures; never decides.

mod context;
mod logs;
mod metrics;
#[cfg(feature = "otel")]
pub mod otlp;
mod panics;
mod spans;

pub use self::context::{Context, Way};
pub use self::logs::{LogFormat, init_logs};
pub use self::metrics::{
    ByTransport, LOG_FAILURES, Labelled, Metrics, States, Transport, WEBHOOK_PLATFORMS, Webhooks,
};
pub use self::panics::watch_panics;
pub use self::spans::{Attribute, Span};
