//! What is kept of a message that nobody could read. Does not keep it: that is a capped list in Redis.

use serde::Serialize;

use super::Unreadable;
use crate::model::LogTime;

/// Where a message came from, by the names Redis knows.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(untagged)]
pub enum Source<'a> {
    /// A Pub/Sub channel.
    Channel {
        /// Its full name.
        channel: &'a str,
    },
    /// An entry of a stream.
    Entry {
        /// The stream's full name.
        stream: &'a str,
        /// The entry's id.
        id: &'a str,
    },
}

/// Bytes kept of a payload: enough to see what went wrong, and 1,000 records stay within a few megabytes.
const PAYLOAD_BYTES_MAX: usize = 4 * 1024;

#[derive(Serialize)]
struct Record<'a> {
    #[serde(flatten)]
    source: Source<'a>,
    reason: &'a str,
    time: LogTime,
    /// Of the whole payload.
    bytes: usize,
    payload: &'a str,
}

/// One record, as JSON.
///
/// `channel`, or `stream` and `id`; `reason`, `time`, `bytes` and the beginning of `payload`, with U+FFFD in place of
/// what is not UTF-8. It holds what the publisher sent: never log it.
pub fn dead_letter(source: Source<'_>, reason: &Unreadable, time: LogTime, payload: &[u8]) -> String {
    // A few bytes more than are kept, so that no character is cut in two before it is read.
    let begin = &payload[..payload.len().min(PAYLOAD_BYTES_MAX + 4)];
    let text = String::from_utf8_lossy(begin);
    let kept = &text[..text.floor_char_boundary(PAYLOAD_BYTES_MAX)];
    let reason = reason.to_string();
    let record = Record { source, reason: &reason, time, bytes: payload.len(), payload: kept };
    // Strings, a number and a time: there is nothing in it that JSON could refuse.
    serde_json::to_string(&record).unwrap_or_default()
}
