//! Panics: one line each, and how many there were. Ends nothing: [`Tasks`](crate::tasks::Tasks) judges who died.

use std::{
    any::Any,
    backtrace::{Backtrace, BacktraceStatus},
    panic::{self, PanicHookInfo},
    sync::atomic::{AtomicU64, Ordering},
};

/// A panic belongs to the process: no gateway in it can say that it was another's.
static PANICS: AtomicU64 = AtomicU64::new(0);

/// Logs and counts every panic from here on, in place of what Rust prints: several lines, with the text of the panic,
/// which may hold anything a client sent.
pub fn watch_panics() {
    panic::set_hook(Box::new(note));
}

/// Panics so far.
pub(super) fn panics() -> u64 {
    PANICS.load(Ordering::Relaxed)
}

fn note(panic: &PanicHookInfo<'_>) {
    PANICS.fetch_add(1, Ordering::Relaxed);
    let location = panic.location().map(ToString::to_string);
    let thread = std::thread::current();
    // `RUST_BACKTRACE` decides whether there is one. It names code, no data.
    let backtrace = Backtrace::capture();
    let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
    tracing::error!(
        location,
        thread = thread.name(),
        task = tokio::task::try_id().map(tracing::field::display),
        reason = literal(panic.payload()),
        backtrace,
        "a panic"
    );
}

/// The text of a panic if it stands in the code as it is. One that was put together may hold foreign text.
fn literal(payload: &(dyn Any + Send)) -> Option<&'static str> {
    payload.downcast_ref::<&'static str>().copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::{LogFormat, logs::tests::written};

    /// Goal: one line that says where and nothing that a client sent. Method: a thread that panics over a secret.
    #[test]
    fn a_panic_is_counted_and_told_in_one_line_without_its_text() {
        let before = panics();
        // Other tests panic at the same time, and want to be heard as always.
        let others = panic::take_hook();
        panic::set_hook(Box::new(move |panic| match std::thread::current().name() {
            Some("doomed") => note(panic),
            _ => others(panic),
        }));
        let doomed = || {
            // Not a constant: those are joined with the text around them when this is compiled.
            let secret = ["hunter", "2\n"].concat();
            written("info", LogFormat::Text, || {
                let _panicked = panic::catch_unwind(|| panic!("over {secret}"));
            })
        };
        let lines = std::thread::Builder::new().name("doomed".into()).spawn(doomed).unwrap().join().unwrap();
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains("a panic location=\"src/telemetry/panics.rs:"), "{lines:?}");
        assert!(lines[0].contains("thread=\"doomed\"") && !lines[0].contains("hunter2"), "{lines:?}");
        assert_eq!(panics(), before + 1);
    }

    #[test]
    fn only_text_that_stands_in_the_code_is_told() {
        let secret = "secret";
        let payload = |panics: fn(&str)| panic::catch_unwind(|| panics(secret)).unwrap_err();
        assert_eq!(literal(&*payload(|_| panic!("the sky fell"))), Some("the sky fell"));
        assert_eq!(literal(&*payload(|text| panic!("it was {text}"))), None);
        assert_eq!(literal(&*payload(|text| assert!(text.parse::<u8>().unwrap() > 0))), None);
    }
}
