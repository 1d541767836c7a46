//! Spans to an OpenTelemetry collector, over OTLP/HTTP. The one thing in a serving gateway that calls out: to the address in
//! the settings, from a thread of its own, and nothing waits for it.

use std::{
    borrow::Cow,
    fmt,
    sync::OnceLock,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use bytes::Bytes;
use opentelemetry::{
    InstrumentationScope, KeyValue, SpanId, TraceFlags, TraceId, Value,
    trace::{SpanContext, SpanKind, Status, TraceState},
};
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::{
    Resource,
    trace::{BatchSpanProcessor, SpanData, SpanEvents, SpanLinks, SpanProcessor as _},
};

use super::{Attribute, Span};
use crate::model::LogTime;

/// Collecting belongs to the process, as log lines do.
static COLLECTOR: OnceLock<BatchSpanProcessor> = OnceLock::new();

/// A collector that takes longer gets no more than what the queue holds.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);

/// Sends spans to the collector at `endpoint` (`http://host:4318`) from here on. A second call in one process does nothing.
pub fn start(endpoint: &str, pod: &str) -> Result<(), String> {
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(Sender::new())
        .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
        .with_timeout(SEND_TIMEOUT)
        .build()
        .map_err(|error| error.to_string())?;
    // The library bounds its queue (2,048 spans) and drops what does not fit.
    let mut processor = BatchSpanProcessor::builder(exporter).build();
    let resource = Resource::builder()
        .with_service_name(env!("CARGO_PKG_NAME"))
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .with_attribute(KeyValue::new("service.instance.id", pod.to_owned()))
        .build();
    processor.set_resource(&resource);
    let _already_started = COLLECTOR.set(processor);
    Ok(())
}

/// Sends what is left. At the end of the process; waits a few seconds at most.
pub fn finish() {
    if let Some(collector) = COLLECTOR.get() {
        let _sent = collector.shutdown_with_timeout(SEND_TIMEOUT);
    }
}

pub(super) fn is_on() -> bool {
    COLLECTOR.get().is_some()
}

pub(super) fn record(span: Span<'_>) {
    if let Some(collector) = COLLECTOR.get() {
        collector.on_end(data(span));
    }
}

fn data(span: Span<'_>) -> SpanData {
    let trace_id = TraceId::from(span.own.trace_id);
    let own = SpanId::from(span.own.span_id);
    SpanData {
        span_context: SpanContext::new(trace_id, own, TraceFlags::SAMPLED, false, TraceState::NONE),
        parent_span_id: span.parent_id.map_or(SpanId::INVALID, SpanId::from),
        parent_span_is_remote: true,
        span_kind: SpanKind::Internal,
        name: Cow::Borrowed(span.name),
        start_time: time(span.start),
        end_time: time(span.end),
        attributes: span
            .attributes
            .iter()
            .map(|(name, value)| KeyValue::new(*name, Value::from(*value)))
            .collect(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: Status::Unset,
        instrumentation_scope: InstrumentationScope::builder(env!("CARGO_PKG_NAME")).build(),
    }
}

fn time(time: LogTime) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_micros(u64::try_from(time.micros()).unwrap_or(0))
}

impl From<Attribute<'_>> for Value {
    fn from(attribute: Attribute<'_>) -> Self {
        match attribute {
            Attribute::Text(text) => text.to_owned().into(),
            Attribute::Count(count) => i64::try_from(count).unwrap_or(i64::MAX).into(),
        }
    }
}

/// The HTTP client of the commands, so that spans bring no second one. It blocks: the library calls it from its own thread.
struct Sender(ureq::Agent);

impl Sender {
    fn new() -> Self {
        let config = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0);
        Self(config.timeout_global(Some(SEND_TIMEOUT)).build().into())
    }
}

#[async_trait]
impl HttpClient for Sender {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (head, body) = request.into_parts();
        let mut response = self.0.run(Request::from_parts(head, body.to_vec()))?;
        let answer = response.body_mut().read_to_vec()?;
        let mut told = Response::new(Bytes::from(answer));
        *told.status_mut() = response.status();
        Ok(told)
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sender")
    }
}
