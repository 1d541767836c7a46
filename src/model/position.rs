//! [`Position`]: where an event stands in the log. Positions are given only by the log; nothing here makes new ones up.

use std::{fmt, str::FromStr};

use serde::{Serialize, Serializer};

/// The name of one life of the log: eight characters of `a-z 0-9`.
///
/// Two positions compare only within one epoch. A log that lost its history starts a new one.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Epoch([u8; Epoch::LEN]);

/// A place in the log, printed `epoch.n` and then called a cursor.
///
/// `n` is dense: the first event of an epoch has 1, `epoch.0` is the place before it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Position {
    /// Which life of the log.
    pub epoch: Epoch,
    /// Which event of that life; at most [`N_MAX`].
    pub n: u64,
}

/// The highest `n`: JavaScript clients hold it in a double without loss (2^53 - 1).
pub const N_MAX: u64 = (1 << 53) - 1;

/// Why a text is no cursor of ours, or no part of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a cursor is an epoch of 8 characters a-z 0-9, a dot, and a decimal number below 2^53")]
pub struct InvalidCursor;

const ALPHABET: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

impl Epoch {
    /// Characters in an epoch: 36^8 names, so that two lives of one log never share one in practice.
    pub const LEN: usize = 8;

    /// Spells 64 random bits as an epoch.
    pub fn from_random(mut bits: u64) -> Self {
        let mut name = [0; Self::LEN];
        for byte in &mut name {
            *byte = ALPHABET[(bits % 36) as usize];
            bits /= 36;
        }
        Self(name)
    }

    /// The position `n` of this epoch.
    pub fn at(self, n: u64) -> Position {
        Position { epoch: self, n }
    }

    /// The position of this epoch whose number is spelled so: no sign, no leading zero, no white space.
    pub fn at_spelled(self, n: &str) -> Result<Position, InvalidCursor> {
        let digits = !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit());
        let leading_zero = n.len() > 1 && n.starts_with('0');
        match n.parse() {
            Ok(n) if digits && !leading_zero && n <= N_MAX => Ok(self.at(n)),
            _ => Err(InvalidCursor),
        }
    }

    fn as_str(&self) -> &str {
        // Only `from_random` and the parser build one, both from the ASCII alphabet.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.epoch.as_str())?;
        write!(f, ".{}", self.n)
    }
}

impl fmt::Debug for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Epoch {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let name: [u8; Self::LEN] = text.as_bytes().try_into().map_err(|_| InvalidCursor)?;
        if name.iter().all(|b| ALPHABET.contains(b)) { Ok(Self(name)) } else { Err(InvalidCursor) }
    }
}

impl FromStr for Position {
    type Err = InvalidCursor;

    /// Reads exactly what [`Display`](fmt::Display) prints.
    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let (epoch, n) = text.split_once('.').ok_or(InvalidCursor)?;
        epoch.parse::<Epoch>()?.at_spelled(n)
    }
}

impl Serialize for Position {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
