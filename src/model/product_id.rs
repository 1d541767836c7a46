//! [`ProductId`]: the opaque name of a product. Does not know whether such a product exists.

use std::{borrow::Borrow, fmt, sync::Arc};

use serde::{Serialize, Serializer};

/// An opaque product id: 1 to 128 characters of `A-Z a-z 0-9 . _ : ~ -`.
///
/// Cloning is a reference count. The alphabet needs no escaping in JSON, SSE, a URL path or a log line,
/// so every encoder may write an id as it stands.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProductId(Arc<str>);

/// Why a text is no product id. The text itself is left out: it came from outside and may be long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a product id is 1 to 128 characters of A-Z a-z 0-9 . _ : ~ -")]
pub struct InvalidProductId;

impl ProductId {
    /// The longest id, in bytes (the alphabet is ASCII).
    pub const LEN_MAX: usize = 128;

    /// Checks `text` and takes it as an id.
    pub fn new(text: &str) -> Result<Self, InvalidProductId> {
        let fits = (1..=Self::LEN_MAX).contains(&text.len());
        if fits && text.bytes().all(allowed) { Ok(Self(text.into())) } else { Err(InvalidProductId) }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn allowed(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._:~-".contains(&byte)
}

impl Borrow<str> for ProductId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProductId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ProductId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for ProductId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}
