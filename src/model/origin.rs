//! [`Origin`]: who brought an entry, and to which pod. Carried with it through the log, for people: nothing is decided by it.

use std::{
    fmt::{self, Write as _},
    sync::Arc,
};

use super::TraceParent;

/// Who brought an entry: by which way, to which pod, under which request id and in which trace. Holds no secret.
///
/// Kept as the one line of text that it is in the log, because hardly any is ever looked at: `source pod request trace`,
/// `-` for what there is none of.
#[derive(Clone, PartialEq, Eq)]
pub struct Origin(Arc<str>);

impl Origin {
    /// The most bytes: whoever writes more than this is no gateway.
    pub const LEN_MAX: usize = 320;

    /// Puts it together. No part may hold white space; each is checked where it comes from.
    pub fn new(
        source: impl fmt::Display,
        pod: &str,
        request_id: Option<&str>,
        trace: Option<TraceParent>,
    ) -> Self {
        // Room for what most are; every entry has one, and to format the plain parts costs more than all else of it.
        let mut text = String::with_capacity(128);
        // A string takes everything.
        let _written = write!(text, "{source}");
        for part in [" ", pod, " ", request_id.unwrap_or("-"), " "] {
            text.push_str(part);
        }
        let _written = match trace {
            Some(trace) => write!(text, "{trace}"),
            None => text.write_char('-'),
        };
        Self(text.into())
    }

    /// Reads what a gateway wrote. What a later version added behind is kept and passed over; `None`: none of ours wrote it.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = text.len() <= Self::LEN_MAX && text.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
        (plain && text.split(' ').nth(3).is_some()).then(|| Self(text.into()))
    }

    /// By which way: `key:2`, `webhook:shopify`, `channel:product.updated`.
    pub fn source(&self) -> &str {
        self.part(0).unwrap_or_default()
    }

    /// Which pod took it.
    pub fn pod(&self) -> &str {
        self.part(1).unwrap_or_default()
    }

    /// The id of the request that brought it.
    pub fn request_id(&self) -> Option<&str> {
        self.part(2)
    }

    /// The trace it belongs to, its span being that of taking it in.
    pub fn trace(&self) -> Option<TraceParent> {
        // Spares reading the others.
        if self.0.ends_with(" -") {
            return None;
        }
        self.part(3)?.parse().ok()
    }

    /// As it stands in the log.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn part(&self, at: usize) -> Option<&str> {
        self.0.split(' ').nth(at).filter(|part| *part != "-")
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_what_it_wrote() {
        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".parse().unwrap();
        let origin = Origin::new("key:2", "pod-1", Some("r1"), Some(trace));
        let read = Origin::parse(origin.as_str()).unwrap();
        assert_eq!(
            (read.source(), read.pod(), read.request_id(), read.trace()),
            ("key:2", "pod-1", Some("r1"), Some(trace))
        );
        let bare = Origin::parse(Origin::new("timer:sales", "pod-1", None, None).as_str()).unwrap();
        assert_eq!((bare.request_id(), bare.trace()), (None, None));
    }

    #[test]
    fn what_a_later_version_adds_does_no_harm_and_what_strangers_write_is_none() {
        assert_eq!(Origin::parse("key:1 pod r - more of it").unwrap().pod(), "pod");
        for bad in ["", "key:1 pod r", "key:1\npod r -", &"x ".repeat(Origin::LEN_MAX)] {
            assert_eq!(Origin::parse(bad), None, "{bad}");
        }
    }
}
