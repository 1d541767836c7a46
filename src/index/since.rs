//! [`Since`]: what a returning client says about where it was. Does not judge whether that is still known.

use crate::model::{LogTime, Position};

/// Where a client says it was. All of it is untrusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// A cursor, perhaps of another epoch or from the future.
    Cursor(Position),
    /// A time, perhaps the timestamp of a batch.
    Time(LogTime),
    /// Missing, or nothing that can be read: only a refetch helps.
    Unreadable,
}

impl Since {
    /// Reads a cursor or an RFC 3339 time.
    pub fn parse(text: &str) -> Self {
        // Neither form is ever longer; a bound here keeps hostile input cheap.
        const LEN_MAX: usize = 64;
        if text.len() > LEN_MAX {
            return Self::Unreadable;
        }
        match text.parse() {
            Ok(position) => Self::Cursor(position),
            Err(_) => LogTime::parse(text).map_or(Self::Unreadable, Self::Time),
        }
    }
}
