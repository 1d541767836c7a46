//! SSE blocks, as the chunks of an HTTP/1.1 body. What they say is the hub's.

use std::fmt::Write;

use bytes::Bytes;

use crate::model::Position;

/// The chunk with a comment in it, which keeps a connection alive.
pub(super) const COMMENT: Bytes = Bytes::from_static(b"3\r\n:\n\n\r\n");

/// One SSE block, which a browser takes as one event if it has data. No part can hold a line break: names are ours,
/// positions are checked, JSON is compact. `tests/fuzz` reads it back as a browser does.
pub fn block(event: Option<&str>, id: Option<Position>, data: Option<&str>) -> Bytes {
    content(&chunk(&[("event: ", event), ("id: ", told(id).as_deref()), ("data: ", data)]))
}

/// A block that says something.
pub(super) fn event_chunk(event: &str, id: Option<Position>, data: &str) -> Bytes {
    chunk(&[("event: ", Some(event)), ("id: ", told(id).as_deref()), ("data: ", Some(data))])
}

/// A block that only tells where a client stands.
pub(super) fn id_chunk(id: Position) -> Bytes {
    chunk(&[("id: ", told(Some(id)).as_deref())])
}

/// The first block: when to come again, and where the client stands.
pub(super) fn opening_chunk(retry_ms: u32, own: Option<Position>) -> Bytes {
    chunk(&[("retry: ", Some(&retry_ms.to_string())), ("id: ", told(own).as_deref())])
}

/// The block without what HTTP/1.1 puts around it.
pub(super) fn content(chunk: &Bytes) -> Bytes {
    let from = chunk.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    chunk.slice(from..chunk.len() - "\r\n".len())
}

fn told(id: Option<Position>) -> Option<String> {
    id.map(|at| at.to_string())
}

/// A chunk (RFC 9112 section 7.1) with a line for each field that has a value.
fn chunk(fields: &[(&str, Option<&str>)]) -> Bytes {
    let fields = || fields.iter().filter_map(|(name, value)| value.map(|value| (name, value)));
    let length = fields().map(|(name, value)| name.len() + value.len() + 1).sum::<usize>() + 1;
    // Its length in hexadecimal takes at most 16 characters.
    let mut out = String::with_capacity(16 + length + 4);
    let _ = write!(out, "{length:x}\r\n");
    for (name, value) in fields() {
        debug_assert!(!value.contains(['\n', '\r']));
        out.push_str(name);
        out.push_str(value);
        out.push('\n');
    }
    out.push_str("\n\r\n");
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_says_how_long_it_is() {
        let chunk = event_chunk("sale", None, "{\"a\":1}");
        assert_eq!(chunk, "1b\r\nevent: sale\ndata: {\"a\":1}\n\n\r\n");
        assert_eq!(content(&chunk), "event: sale\ndata: {\"a\":1}\n\n");
        assert_eq!(content(&chunk).len(), 0x1b);
        assert_eq!(content(&COMMENT), ":\n\n");
    }
}
