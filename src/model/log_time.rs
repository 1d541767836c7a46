//! [`LogTime`]: the log's own clock reading of an entry. Reads no clock itself.

use std::fmt;

use serde::{Serialize, Serializer};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Microseconds since 1970, as the log tells time: it never goes back, and no two entries share one.
///
/// Printed as RFC 3339 with exactly six decimals and `Z`, so that a batch `timestamp` names one entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogTime(i64);

impl LogTime {
    /// The last instant RFC 3339 can spell (9999-12-31T23:59:59.999999Z), in microseconds.
    const MICROS_MAX: i64 = 253_402_300_799_999_999;

    /// Takes microseconds since 1970; what RFC 3339 cannot spell is held at its nearest end.
    pub fn from_micros(micros: i64) -> Self {
        Self(micros.clamp(0, Self::MICROS_MAX))
    }

    /// Microseconds since 1970.
    pub fn micros(self) -> i64 {
        self.0
    }

    /// This time moved by `seconds`.
    #[must_use]
    pub fn plus_secs(self, seconds: i64) -> Self {
        Self::from_micros(self.0.saturating_add(seconds.saturating_mul(1_000_000)))
    }

    /// The next microsecond.
    #[must_use]
    pub fn next(self) -> Self {
        Self::from_micros(self.0 + 1)
    }

    /// Reads any RFC 3339 time, its fraction cut to microseconds; `None` for everything else.
    pub fn parse(text: &str) -> Option<Self> {
        let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        let micros = time.unix_timestamp_nanos() / 1_000;
        i64::try_from(micros).ok().map(Self::from_micros)
    }
}

impl fmt::Display for LogTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = OffsetDateTime::from_unix_timestamp(self.0 / 1_000_000).map_err(|_| fmt::Error)?;
        let (date, time) = (whole.date(), whole.time());
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z",
            date.year(),
            u8::from(date.month()),
            date.day(),
            time.hour(),
            time.minute(),
            time.second(),
            self.0 % 1_000_000
        )
    }
}

impl Serialize for LogTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
