//! [`Entry`]: an event that has its place in the log. Made only by a log.

use std::{fmt, str::FromStr};

use sha2::{Digest, Sha256};

use super::{Event, LogTime, Origin, Position};

/// An accepted event: it cannot be taken back, and its position names it for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it stands.
    pub at: Position,
    /// When the log took it; its own microsecond.
    pub log_time: LogTime,
    /// What was accepted.
    pub event: Event,
    /// The message it came with, if it is the first event of one from a Redis channel.
    pub message: Option<MessageDigest>,
    /// Who brought it, if that is known.
    pub origin: Option<Origin>,
}

/// 128 bits of a digest over a message's channel and payload. Pods know by it that a message they heard is in the log.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct MessageDigest(pub [u8; 16]);

/// The text is no digest of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("32 hexadecimal digits")]
pub struct InvalidDigest;

impl Entry {
    /// Bytes this entry is counted with against `LOG_MAX_BYTES`: its text plus the fixed cost of holding it
    /// (structure, reference counts, list slots).
    pub fn size_bytes(&self) -> usize {
        const FIXED: usize = size_of::<Entry>() + 64;
        let origin = self.origin.as_ref().map_or(0, |origin| origin.as_str().len());
        FIXED + self.event.encoded_len() + origin
    }
}

impl MessageDigest {
    /// The digest of a message, `channel` without its prefix. Lengths stand before the parts, so that no two messages
    /// read the same.
    pub fn of(channel: &str, payload: &[u8]) -> Self {
        let full = [channel.as_bytes(), payload]
            .iter()
            .fold(Sha256::new(), |sha, part| {
                sha.chain_update((part.len() as u64).to_le_bytes()).chain_update(part)
            })
            .finalize();
        let mut short = [0; 16];
        short.copy_from_slice(&full[..16]);
        Self(short)
    }
}

impl fmt::Display for MessageDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for MessageDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for MessageDigest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        let mut bytes = [0; 16];
        if text.len() != 2 * bytes.len() || !text.is_ascii() {
            return Err(InvalidDigest);
        }
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| InvalidDigest)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| InvalidDigest)?;
        }
        Ok(Self(bytes))
    }
}
