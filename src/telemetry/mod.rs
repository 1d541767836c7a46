//! What the gateway tells about itself: [`Metrics`], log lines, panics. Measures; never decides.

mod logs;
mod metrics;
mod panics;
mod states;
mod webhooks;

pub use self::logs::{LogFormat, init_logs};
pub use self::metrics::{ByTransport, LOG_FAILURES, Labelled, Metrics, Transport};
pub use self::panics::watch_panics;
pub use self::states::States;
pub use self::webhooks::{WEBHOOK_PLATFORMS, Webhooks};
