//! Log lines on standard error. Does not choose what is logged: the stages do, once per failure, where it is handled.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::{Layer, filter::Targets, layer::SubscriberExt, util::SubscriberInitExt};

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For eyes.
    Text,
    /// One JSON object a line, for machines.
    Json,
}

/// Starts logging for the life of the process. A second call in one process does nothing.
///
/// `filter` is a level (`info`) or a list of `target=level`. The Socket.IO library stays at `warn` unless named:
/// below that it logs packets, and packets hold session ids.
pub fn init_logs(filter: &Targets, format: LogFormat) {
    let quiet = [("socketioxide", tracing::Level::WARN), ("engineioxide", tracing::Level::WARN)];
    let quiet = quiet.into_iter().filter(|(target, _)| !filter.iter().any(|(t, _)| t == *target));
    let filter = filter.clone().with_targets(quiet);
    let lines =
        tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    let lines = match format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    let _already_started = tracing_subscriber::registry().with(lines.with_filter(filter)).try_init();
}
