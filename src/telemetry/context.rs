//! [`Context`]: on whose behalf a task works. Log lines name it and what is appended carries it; nothing is decided by it.
//!
//! It follows the work as a span does, rather than as an argument: a request passes five stages before it is appended, and
//! none of them has any use for it. Where there is none, as in most tests, nothing is named and nothing is carried.

use std::{cell::Cell, fmt, sync::Arc};

use tokio::task_local;

use super::{Attribute, Span};
use crate::model::{LogTime, Origin, TraceParent};

task_local! {
    static CONTEXT: Context;
}

/// On whose behalf.
#[derive(Debug, Clone)]
pub struct Context {
    pod: Arc<str>,
    way: Cell<Way>,
    request_id: Option<Arc<str>>,
    trace: Option<TraceParent>,
    /// Whose span called.
    caller_id: Option<u64>,
}

/// By which way something came in. Holds no secret: a key has a number, a platform and a channel a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Not known yet.
    Unknown,
    /// Which of the keys in `INTERNAL_API_KEY`, counted from 1.
    Key(usize),
    /// A platform's webhook.
    Webhook(&'static str),
    /// A channel at Redis, its name without prefix.
    Channel(&'static str),
    /// A stream at Redis, its name without prefix.
    Stream(&'static str),
    /// The gateway itself, at a time that was planned.
    Timer(&'static str),
}

impl Context {
    /// Of this pod, on nobody's behalf.
    pub fn of_pod(pod: Arc<str>, way: Way) -> Self {
        Self { pod, way: Cell::new(way), request_id: None, trace: None, caller_id: None }
    }

    /// Of a request.
    pub fn of_request(pod: Arc<str>, request_id: Arc<str>) -> Self {
        let way = Cell::new(Way::Unknown);
        Self { pod, way, request_id: Some(request_id), trace: None, caller_id: None }
    }

    /// In this trace, its span being that of taking something in. `caller_id`: whose span called; `None`: the trace begins
    /// here.
    pub fn in_trace(self, trace: TraceParent, caller_id: Option<u64>) -> Self {
        Self { trace: Some(trace), caller_id, ..self }
    }

    /// Does something on its behalf.
    pub fn scope<F: Future>(self, work: F) -> impl Future<Output = F::Output> {
        // Not an async function: its future would have room for the work twice.
        CONTEXT.scope(self, work)
    }

    /// Does something on the same behalf, now that it is known by which way it came.
    pub async fn via<F: Future>(way: Way, work: F) -> F::Output {
        match CONTEXT.try_with(|context| Self { way: Cell::new(way), ..context.clone() }) {
            Ok(context) => context.scope(work).await,
            Err(_) => work.await,
        }
    }

    /// Notes by which way the work came that is being done, for what is done of it from here on.
    pub fn came_by(way: Way) {
        // On nobody's behalf there is nothing to note.
        CONTEXT.try_with(|context| context.way.set(way)).unwrap_or_default();
    }

    /// What an entry that is made now carries.
    pub fn origin() -> Option<Origin> {
        let origin = |context: &Self| {
            Origin::new(context.way.get(), &context.pod, context.request_id.as_deref(), context.trace)
        };
        CONTEXT.try_with(origin).ok()
    }

    /// The id of the request that is being served.
    pub fn request_id() -> Option<Arc<str>> {
        CONTEXT.try_with(|context| context.request_id.clone()).ok().flatten()
    }

    /// Whether somebody collects what is done for the trace, if there is one.
    pub fn is_recorded() -> bool {
        CONTEXT.try_with(|context| context.trace.is_some() && Span::is_wanted()).unwrap_or_default()
    }

    /// Tells what was done for the trace, if there is one and somebody collects. `source` and `pod` are added.
    pub fn record(
        name: &'static str,
        start: LogTime,
        end: LogTime,
        attributes: &[(&'static str, Attribute<'_>)],
    ) {
        let recorded = CONTEXT.try_with(|context| {
            let Some(own) = context.trace.filter(|_| Span::is_wanted()) else { return };
            let source = context.way.get().to_string();
            let known = [("source", Attribute::Text(&source)), ("pod", Attribute::Text(&context.pod))];
            let attributes = [&known[..], attributes].concat();
            Span { name, own, parent_id: context.caller_id, start, end, attributes: &attributes }.record();
        });
        // On nobody's behalf there is nobody to tell.
        recorded.unwrap_or_default();
    }

    /// The trace that is being worked for.
    pub fn trace() -> Option<TraceParent> {
        CONTEXT.try_with(|context| context.trace).ok().flatten()
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("-"),
            Self::Key(number) => write!(f, "key:{number}"),
            Self::Webhook(name) => write!(f, "webhook:{name}"),
            Self::Channel(name) => write!(f, "channel:{name}"),
            Self::Stream(name) => write!(f, "stream:{name}"),
            Self::Timer(name) => write!(f, "timer:{name}"),
        }
    }
}
