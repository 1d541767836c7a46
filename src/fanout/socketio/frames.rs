//! WebSocket frames as a server writes them (RFC 6455 section 5.2): one made around an event, and a look at those that the
//! library wrote, to a WebSocket or to a poll. Reads nothing that a client sent.

use bytes::Bytes;

/// The first byte of a text message in one frame.
const TEXT: u8 = 0x81;
/// That of the frame that ends a connection.
const CLOSE: u8 = 0x88;
/// How an event begins: a message of Engine.IO (4) that is an event of Socket.IO (2) in the namespace `/`.
const EVENT: &[u8] = b"42[";

/// An event with one argument, ready to be written.
pub(super) fn event(name: &str, json: &str) -> Bytes {
    let length = EVENT.len() + name.len() + json.len() + r#""","#.len() + "]".len();
    let mut out = Vec::with_capacity(10 + length);
    out.push(TEXT);
    // The shortest form of the length that fits is the only one allowed.
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ 0..126), _) => out.push(short),
        (_, Ok(middle)) => {
            out.push(126);
            out.extend_from_slice(&middle.to_be_bytes());
        }
        _ => {
            out.push(127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(EVENT);
    for part in ["\"", name, "\",", json, "]"] {
        out.extend_from_slice(part.as_bytes());
    }
    out.into()
}

/// What the library wrote.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Written {
    /// Events, acknowledgements not among them.
    pub(super) events: u64,
    /// The frame that ends the connection is among it.
    pub(super) closes: bool,
}

/// Looks at what the library wrote; `None`: these are not whole frames.
pub(super) fn look(mut bytes: &[u8]) -> Option<Written> {
    let mut written = Written::default();
    while let Some((&first, rest)) = bytes.split_first() {
        let (&length, rest) = rest.split_first()?;
        let (length, rest) = match length {
            // With the bit of a mask, which servers do not use.
            128.. => return None,
            127 => rest.split_first_chunk().map(|(length, rest)| (u64::from_be_bytes(*length), rest))?,
            126 => {
                rest.split_first_chunk().map(|(length, rest)| (u16::from_be_bytes(*length).into(), rest))?
            }
            length => (length.into(), rest),
        };
        let (payload, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
        written.events += u64::from(first == TEXT && payload.starts_with(EVENT));
        written.closes |= first == CLOSE;
        bytes = rest;
    }
    Some(written)
}

/// Events among the packets that a poll is answered with (Engine.IO 4: text packets between record separators).
pub(super) fn polled_events(packets: &[u8]) -> u64 {
    packets.split(|byte| *byte == b'\x1e').filter(|packet| packet.starts_with(EVENT)).count() as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What the library's own WebSocket makes of the same text.
    fn by_the_library(text: String) -> Vec<u8> {
        use tungstenite::protocol::{Message, Role, WebSocket};
        let mut socket = WebSocket::from_raw_socket(std::io::Cursor::new(Vec::new()), Role::Server, None);
        socket.send(Message::Text(text.into())).unwrap();
        socket.into_inner().into_inner()
    }

    proptest! {
        #[test]
        fn an_event_is_framed_as_the_library_frames_it(pad in prop_oneof![0..300_usize, 65_000..66_000_usize]) {
            let json = format!("{{\"pad\":\"{}\"}}", "x".repeat(pad));
            let ours = event("batched_product_update", &json);
            prop_assert_eq!(&ours[..], &by_the_library(format!("42[\"batched_product_update\",{json}]"))[..]);
            prop_assert_eq!(look(&ours), Some(Written { events: 1, closes: false }));
        }

        #[test]
        fn frames_are_seen_only_where_they_are_whole(texts in prop::collection::vec("(42\\[|43|2|4).{0,200}", 1..8), cut in any::<prop::sample::Index>()) {
            let frames: Vec<_> = texts.iter().cloned().map(by_the_library).collect();
            let events = texts.iter().filter(|text| text.starts_with("42[")).count() as u64;
            let whole = frames.concat();
            prop_assert_eq!(look(&whole), Some(Written { events, closes: false }));
            let cut = 1 + cut.index(whole.len() - 1);
            let mut ends = frames.iter().scan(0, |end, frame| { *end += frame.len(); Some(*end) });
            prop_assert_eq!(look(&whole[..cut]).is_some(), ends.any(|end| end == cut));
        }

        #[test]
        fn events_of_a_poll_are_counted(texts in prop::collection::vec("(42\\[|43|2|4)[a-z]{0,9}", 0..8)) {
            let events = texts.iter().filter(|text| text.starts_with("42[")).count() as u64;
            prop_assert_eq!(polled_events(texts.join("\x1e").as_bytes()), events);
        }

        #[test]
        fn any_bytes_are_looked_at(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = look(&bytes);
        }
    }
}
