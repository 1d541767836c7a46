//! [`Span`]: what one stage did for one trace, handed to whoever collects spans. Nobody does without the feature `otel` and
//! `OTEL_EXPORTER_OTLP_ENDPOINT`: then this costs a look at a flag, and only where there is a trace at all.

#[cfg(feature = "otel")]
use super::otlp;
use crate::model::{LogTime, TraceParent};

/// What one stage did for one trace.
#[derive(Debug, Clone, Copy)]
pub struct Span<'a> {
    /// The stage: `ingest` or `flush`.
    pub name: &'static str,
    /// The trace, and this span in it.
    pub own: TraceParent,
    /// The span that it was done for; `None`: the trace began here.
    pub parent_id: Option<u64>,
    /// When it began.
    pub start: LogTime,
    /// When it was done.
    pub end: LogTime,
    /// What there is to know. No secret and nothing of a body.
    pub attributes: &'a [(&'static str, Attribute<'a>)],
}

/// One thing to know.
#[derive(Debug, Clone, Copy)]
pub enum Attribute<'a> {
    /// In words.
    Text(&'a str),
    /// How many.
    Count(u64),
}

impl Span<'_> {
    /// Whether anybody collects.
    pub fn is_wanted() -> bool {
        otlp::is_on()
    }

    /// Hands it over, if its trace is recorded. Never waits: what cannot be sent in time is dropped.
    pub fn record(self) {
        if self.own.sampled {
            otlp::record(self);
        }
    }
}

/// Nobody collects.
#[cfg(not(feature = "otel"))]
mod otlp {
    pub(super) fn is_on() -> bool {
        false
    }

    pub(super) fn record(_: super::Span<'_>) {}
}
