//! Log lines on standard error. Does not choose what is logged: the stages do, once per failure, where it is handled.
//!
//! Each line names the request and the trace on whose behalf it is written ([`Named`]); docs/logs.md lists every field.
//!
//! Two things hold by construction, whoever logs what. An event is one line without control characters, so nobody can
//! forge a second one or drive the terminal of who reads it ([`OneLine`]). And libraries are held at `warn`: below that
//! they print packets, headers and frames, which hold keys, tokens, session ids and bodies ([`is_told`]).

use std::{
    fmt::{self, Write as _},
    io::{self, Write},
};

use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::{
    Layer,
    filter::{FilterExt as _, Targets, filter_fn},
    fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter, format::Writer},
    layer::SubscriberExt,
    registry::LookupSpan,
    util::SubscriberInitExt,
};

use super::Context;

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
/// `filter` is a level (`info`) or a list of `target=level`.
pub fn init_logs(filter: &Targets, format: LogFormat) {
    let lines = lines(filter, format, || OneLine(io::stderr()));
    let _already_started = tracing_subscriber::registry().with(lines).try_init();
}

/// The layer that writes what may be told.
fn lines<S, W>(filter: &Targets, format: LogFormat, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    // Colours are control characters, and those are what no line may hold.
    let lines = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(false);
    let lines = match format {
        LogFormat::Text => lines.map_event_format(|inner| Named { inner, format }).boxed(),
        // Spans are libraries' own, and hold what libraries like.
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .map_event_format(|inner| Named { inner, format })
            .boxed(),
    };
    lines.with_filter(filter.clone().and(filter_fn(is_told))).boxed()
}

/// Whether an event may be told at all, whatever the settings say.
fn is_told(event: &Metadata<'_>) -> bool {
    let is_ours = event.target().split("::").next() == Some(env!("CARGO_CRATE_NAME"));
    is_ours || *event.level() <= Level::WARN
}

/// Writes behind each event on whose behalf it is told. What is looked at only when there is a line costs requests without
/// one nothing, as a span would not.
struct Named<F> {
    inner: F,
    format: LogFormat,
}

impl<S, N, F> FormatEvent<S, N> for Named<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        ctx: &FmtContext<'_, S, N>,
        mut out: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = String::new();
        self.inner.format_event(ctx, Writer::new(&mut line), event)?;
        let trace_id = Context::trace().map(|trace| format!("{:032x}", trace.trace_id));
        let names = [("request_id", Context::request_id()), ("trace_id", trace_id.map(Into::into))];
        let end = if self.format == LogFormat::Json { "}\n" } else { "\n" };
        out.write_str(line.strip_suffix(end).unwrap_or(&line))?;
        for (name, value) in names.iter().filter_map(|(name, value)| Some((name, value.as_ref()?))) {
            // Neither needs escaping: both are checked when they come in.
            match self.format {
                LogFormat::Text => write!(out, " {name}={value}")?,
                LogFormat::Json => write!(out, r#","{name}":"{value}""#)?,
            }
        }
        out.write_str(end)
    }
}

/// Writes each event it is handed as one line.
struct OneLine<W>(W);

impl<W: Write> Write for OneLine<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        self.0.write_all(one_line(&String::from_utf8_lossy(event)).as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// The text as one line: what is no visible character becomes `\u001b`. In JSON such characters stand in strings only,
/// where that is how they are spelt.
fn one_line(event: &str) -> String {
    let mut line = String::with_capacity(event.len() + 1);
    for c in event.strip_suffix('\n').unwrap_or(event).chars() {
        if is_hidden(c) {
            let _always_fits = write!(line, "\\u{:04x}", u32::from(c));
        } else {
            line.push(c);
        }
    }
    line.push('\n');
    line
}

/// Control characters, the line breaks of Unicode, and what turns the direction of writing around.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{feff}')
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;
    use serde_json::Value;

    use super::*;

    /// What strangers send where they hope that somebody logs it.
    const HOSTILE: &str = "a\nINFO forged\r\n\u{1b}[2J\u{1b}]0;title\u{7}\0\u{7f}\u{85}\u{9b}31m\u{2028}\u{2029}\u{202e}\u{feff}\"}{\"level\":\"ERROR\" z";

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The lines that are written while `log` runs.
    pub(in super::super) fn written(level: &str, format: LogFormat, log: impl FnOnce()) -> Vec<String> {
        let kept = Kept::default();
        let writer = kept.clone();
        let lines = lines(&level.parse().unwrap(), format, move || OneLine(writer.clone()));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), log);
        let text = String::from_utf8(kept.0.lock().clone()).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'));
        text.lines().map(str::to_owned).collect()
    }

    fn everywhere() {
        let error = io::Error::other(HOSTILE);
        let span = tracing::error_span!("of", peer = HOSTILE);
        let _in_span = span.enter();
        tracing::error!("{HOSTILE}");
        tracing::error!(reason = HOSTILE, "text");
        tracing::error!(reason = %HOSTILE, "display");
        tracing::error!(reason = ?HOSTILE, "debug");
        tracing::error!(%error, "an error by its text");
        tracing::error!(error = &error as &dyn std::error::Error, "an error by itself");
        tracing::error!(task = HOSTILE, panicked = true, "two fields");
    }

    /// Goal: one event, one line, nothing in it that acts. Method: hostile text wherever an event can hold text.
    #[test]
    fn no_text_can_forge_a_line() {
        for format in [LogFormat::Text, LogFormat::Json] {
            let lines = written("trace", format, everywhere);
            assert_eq!(lines.len(), 7, "{lines:#?}");
            for line in lines {
                assert!(!line.chars().any(is_hidden), "{line:?}");
                assert!(line.contains("forged"), "{line}");
            }
        }
    }

    #[test]
    fn json_gives_back_exactly_what_was_logged() {
        let lines = written("info", LogFormat::Json, || tracing::info!(reason = HOSTILE, "{HOSTILE}"));
        let line: Value = serde_json::from_str(&lines[0]).unwrap();
        assert_eq!((line["message"].as_str(), line["reason"].as_str()), (Some(HOSTILE), Some(HOSTILE)));
        assert_eq!(line["level"], "INFO");
    }

    /// Goal: a line leads to its request. Method: the same line on somebody's behalf and on nobody's.
    #[tokio::test]
    async fn a_line_names_on_whose_behalf_it_is_written() {
        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".parse().unwrap();
        let context = Context::of_request("pod".into(), "r-1".into()).in_trace(trace, None);
        let log = || tracing::info!(count = 1, "told");
        let names = ["r-1", "0af7651916cd43dd8448eb211c80319c"];
        context
            .scope(async {
                let line = &written("info", LogFormat::Json, log)[0];
                let json: Value = serde_json::from_str(line).unwrap();
                assert_eq!(["request_id", "trace_id"].map(|name| json[name].as_str().unwrap()), names);
                let line = &written("info", LogFormat::Text, log)[0];
                assert!(
                    line.ends_with(&format!("told count=1 request_id={} trace_id={}", names[0], names[1])),
                    "{line}"
                );
            })
            .await;
        let line = &written("info", LogFormat::Json, log)[0];
        let json: Value = serde_json::from_str(line).unwrap();
        assert!(json.get("request_id").is_none() && json["count"] == 1, "{line}");
    }

    #[test]
    fn good_text_stays_as_it_is() {
        let good = "prøduct 価格 \u{1f6d2} \\n \"q\"";
        let lines = written("info", LogFormat::Text, || tracing::info!("{good}"));
        assert!(lines[0].ends_with(good), "{lines:?}");
    }

    /// Goal: libraries cannot be made to tell packets. Method: the most that can be asked for, also by their names.
    #[test]
    fn libraries_stay_at_warn_whatever_is_asked_for() {
        for asked in ["trace", "socketioxide=trace,h2=trace,shelfcast=trace", "info,fred::router=debug"] {
            let lines = written(asked, LogFormat::Text, || {
                tracing::info!(target: "socketioxide::ns", "packet");
                tracing::debug!(target: "fred::router", "command");
                tracing::trace!(target: "h2", "frame");
                tracing::trace!(target: "shelfcasting", "not ours");
                tracing::info!(target: "shelfcast::app", "ours");
            });
            assert!(
                lines.len() <= 1 && lines.iter().all(|line| line.ends_with("ours")),
                "{asked}: {lines:?}"
            );
        }
        let lines = written("debug", LogFormat::Text, || {
            tracing::warn!(target: "hyper", "told");
            tracing::debug!(target: "shelfcast", "told");
            tracing::trace!(target: "shelfcast", "not asked for");
        });
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert_eq!(
            written("error", LogFormat::Text, || tracing::warn!(target: "hyper", "not asked for")).len(),
            0
        );
    }
}
