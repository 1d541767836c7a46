//! [`TraceParent`]: which trace something belongs to, and whose child it is (W3C Trace Context). Records nothing.

use std::{fmt, str::FromStr};

/// A `traceparent` header: the trace, the span that what comes next is a child of, and whether the trace is recorded.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceParent {
    /// Which trace. Never 0.
    pub trace_id: u128,
    /// Which span. Never 0.
    pub span_id: u64,
    /// Whoever began the trace records it.
    pub sampled: bool,
}

/// The text is no `traceparent`. The standard says to go on as if there were none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a traceparent such as 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")]
pub struct InvalidTraceParent;

impl TraceParent {
    /// Characters of the version that is written here.
    pub const LEN: usize = 55;

    /// A trace that begins here, spelt from random bits.
    pub fn begin(trace_bits: u128, span_bits: u64, sampled: bool) -> Self {
        Self { trace_id: trace_bits.max(1), span_id: span_bits.max(1), sampled }
    }

    /// The same trace, one span further.
    pub fn child(self, span_bits: u64) -> Self {
        Self { span_id: span_bits.max(1), ..self }
    }
}

impl FromStr for TraceParent {
    type Err = InvalidTraceParent;

    fn from_str(text: &str) -> Result<Self, InvalidTraceParent> {
        let mut parts = text.split('-');
        let mut next = |len: usize| parts.next().and_then(|part| hexadecimal(part, len));
        let (version, trace_id) = (next(2), next(32));
        let (span_id, flags) = (next(16), next(2));
        let more = parts.next().is_some();
        match (version, trace_id, span_id, flags) {
            // A later version may have more behind; what this one knows stands where it stood.
            (Some(version), Some(1..), Some(1..), Some(_)) if version == 0xff || (version == 0 && more) => {
                Err(InvalidTraceParent)
            }
            (Some(_), Some(trace_id @ 1..), Some(span_id @ 1..), Some(flags)) => {
                let span_id = u64::try_from(span_id).map_err(|_| InvalidTraceParent)?;
                Ok(Self { trace_id, span_id, sampled: flags & 1 == 1 })
            }
            _ => Err(InvalidTraceParent),
        }
    }
}

/// Lower case only, as the standard has it.
fn hexadecimal(text: &str, len: usize) -> Option<u128> {
    let fits = text.len() == len && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    fits.then(|| u128::from_str_radix(text, 16).ok()).flatten()
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace_id, self.span_id, u8::from(self.sampled))
    }
}

impl fmt::Debug for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn the_standards_own_example_comes_back_as_it_was() {
        let parent: TraceParent = GOOD.parse().unwrap();
        assert_eq!((parent.to_string().as_str(), parent.sampled), (GOOD, true));
        assert_eq!(GOOD.len(), TraceParent::LEN);
        assert!(!GOOD.replace("-01", "-00").parse::<TraceParent>().unwrap().sampled);
        assert!(GOOD.replace("-01", "-03").parse::<TraceParent>().unwrap().sampled);
    }

    #[test]
    fn a_later_version_is_read_as_far_as_it_is_known() {
        assert!(format!("01{}-what-comes-later", &GOOD[2..]).parse::<TraceParent>().is_ok());
    }

    #[test]
    fn what_is_none_is_none() {
        for bad in [
            "",
            "00",
            &GOOD[..54],
            &GOOD.to_uppercase(),
            &format!("{GOOD}-00"),
            &format!("ff{}", &GOOD[2..]),
            &GOOD.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)),
            &GOOD.replace("b7ad6b7169203331", &"0".repeat(16)),
            &GOOD.replace('-', "_"),
            &GOOD.replace("0af7", "+af7"),
        ] {
            assert_eq!(bad.parse::<TraceParent>(), Err(InvalidTraceParent), "{bad}");
        }
    }
}
