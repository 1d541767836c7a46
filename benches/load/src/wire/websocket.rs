//! Frames of WebSockets, without fragments and extensions, which neither end uses.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use sha1::{Digest as _, Sha1};

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opcode {
    /// A packet of Engine.IO.
    Text,
    /// The end.
    Close,
    /// Anything else.
    Other,
}

/// One frame as it lies in a buffer.
#[derive(Debug)]
pub struct Frame<'a> {
    /// What it holds.
    pub opcode: Opcode,
    /// Its content. Clients here mask with zeros, which changes nothing, so it is right in both directions.
    pub content: &'a [u8],
    /// Bytes it takes in the buffer.
    pub bytes: usize,
}

impl<'a> Frame<'a> {
    /// The frame that `bytes` begins with; `None` until all of it came.
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let [first, second, ..] = *bytes else { return None };
        let (length, at) = match second & 0x7f {
            126 => (u64::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)), 4),
            127 => (u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?), 10),
            length => (u64::from(length), 2),
        };
        let start = at + if second & 0x80 == 0 { 0 } else { MASK.len() };
        let end = start + usize::try_from(length).ok()?;
        let opcode = match first & 0x0f {
            1 => Opcode::Text,
            8 => Opcode::Close,
            _ => Opcode::Other,
        };
        Some(Self { opcode, content: bytes.get(start..end)?, bytes: end })
    }
}

/// Clients have to mask; by zeros it costs nothing.
const MASK: [u8; 4] = [0; 4];
const TEXT_AND_LAST: u8 = 0x81;

/// `text` as a client sends it.
pub fn from_client(text: &str) -> Vec<u8> {
    encode(text, Some(MASK))
}

/// `text` as a server sends it.
pub fn from_server(text: &str) -> Vec<u8> {
    encode(text, None)
}

fn encode(text: &str, mask: Option<[u8; 4]>) -> Vec<u8> {
    let mut frame = Vec::with_capacity(text.len() + 14);
    frame.push(TEXT_AND_LAST);
    let masked = if mask.is_some() { 0x80 } else { 0 };
    match text.len() {
        length @ 0..=125 => frame.push(masked | length as u8),
        length @ 126..=0xffff => {
            frame.push(masked | 126);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(masked | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend(mask.iter().flatten());
    frame.extend(text.as_bytes());
    frame
}

/// The value of `Sec-WebSocket-Accept` for a client's key.
pub fn accept(key: &str) -> String {
    const MAGIC: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    BASE64_STANDARD.encode(Sha1::digest(format!("{key}{MAGIC}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_as_they_were_written() {
        for length in [0, 125, 126, 65_535, 65_536] {
            let text = "x".repeat(length);
            for bytes in [from_client(&text), from_server(&text)] {
                let frame = Frame::read(&bytes).unwrap();
                assert_eq!(
                    (frame.opcode, frame.content, frame.bytes),
                    (Opcode::Text, text.as_bytes(), bytes.len())
                );
                assert!(Frame::read(&bytes[..bytes.len() - 1]).is_none(), "{length}");
            }
        }
    }

    #[test]
    fn the_key_of_the_standard_is_accepted_as_it_says() {
        assert_eq!(accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
