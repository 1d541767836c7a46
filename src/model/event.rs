//! [`Event`]: "something about product P changed", checked. Knows nothing of where it came from or where it goes.

use std::{borrow::Cow, fmt, str::FromStr};

use serde_json::value::RawValue;

use super::{LogTime, ProductId};

/// One change of one product, as a publisher told it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Whose change.
    pub product_id: ProductId,
    /// What kind of change.
    pub event_type: EventType,
    /// What the publisher says about it, passed through unread.
    pub data: Data,
    /// When it happened, by the publisher's clock.
    pub timestamp: Timestamp,
}

/// The kinds of change a storefront tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventType {
    /// Anything about the product itself: name, images, category, existence.
    ProductUpdate,
    /// Stock.
    InventoryUpdate,
    /// Price.
    PriceUpdate,
    /// A sale starts, ends or changes.
    SaleUpdate,
}

/// A JSON object kept as text: the publisher's bytes without the white space between tokens.
///
/// It is never parsed into values and written again, so `1.50` stays `1.50` and big integers stay exact.
/// White space goes because a newline would end an SSE field.
#[derive(Clone, PartialEq, Eq)]
pub struct Data(Box<str>);

/// The empty object.
impl Default for Data {
    fn default() -> Self {
        Self("{}".into())
    }
}

/// Why a JSON value cannot be an event's `data`. The publisher is at fault; retrying will not help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DataError {
    /// It is JSON, but an array, a string, a number, `true`, `false` or `null`.
    #[error("a JSON object")]
    NotAnObject,
    /// More than [`Data::LEN_MAX`] bytes without white space.
    #[error("at most 16384 bytes of JSON")]
    TooLarge,
    /// More than [`Data::DEPTH_MAX`] levels.
    #[error("at most 64 levels of nesting")]
    TooDeep,
}

/// An RFC 3339 time, kept as the publisher wrote it.
#[derive(Clone, PartialEq, Eq)]
pub struct Timestamp(Box<str>);

/// The text is no RFC 3339 time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an RFC 3339 time such as 2026-01-31T12:00:00Z")]
pub struct InvalidTimestamp;

impl Event {
    /// Bytes of this event in a frame, commas not counted.
    pub fn encoded_len(&self) -> usize {
        // {"productId":"","type":"","data":,"timestamp":""} without its values is 49 bytes.
        49 + self.product_id.as_str().len()
            + self.event_type.as_str().len()
            + self.data.as_str().len()
            + self.timestamp.as_str().len()
    }

    /// Appends the wire form. No value needs escaping: each is checked to be plain when it is built.
    pub(super) fn encode(&self, out: &mut String) {
        for part in [
            r#"{"productId":""#,
            self.product_id.as_str(),
            r#"","type":""#,
            self.event_type.as_str(),
            r#"","data":"#,
            self.data.as_str(),
            r#","timestamp":""#,
            self.timestamp.as_str(),
            r#""}"#,
        ] {
            out.push_str(part);
        }
    }
}

impl EventType {
    /// Every type, in the order the documentation lists them.
    pub const ALL: [Self; 4] =
        [Self::ProductUpdate, Self::InventoryUpdate, Self::PriceUpdate, Self::SaleUpdate];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ProductUpdate => "product_update",
            Self::InventoryUpdate => "inventory_update",
            Self::PriceUpdate => "price_update",
            Self::SaleUpdate => "sale_update",
        }
    }
}

impl FromStr for EventType {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|t| t.as_str() == text).ok_or(())
    }
}

impl Data {
    /// The most bytes one event may carry (contract section 8).
    pub const LEN_MAX: usize = 16 * 1024;
    /// The most levels of nesting. Common JSON readers give up at 128; a frame adds four levels of its own.
    pub const DEPTH_MAX: usize = 64;

    /// Takes a valid JSON value and drops the white space between its tokens.
    pub fn new(json: &RawValue) -> Result<Self, DataError> {
        let json = json.get();
        if !json.trim_start().starts_with('{') {
            return Err(DataError::NotAnObject);
        }
        let compact = compact(json)?;
        if compact.len() > Self::LEN_MAX {
            return Err(DataError::TooLarge);
        }
        Ok(Self(compact.into()))
    }

    /// The object as JSON text, without white space between tokens.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Valid JSON without the white space outside its strings; copied only if there is some. Stops at too much nesting.
fn compact(json: &str) -> Result<Cow<'_, str>, DataError> {
    let (text, mut out) = (json.as_bytes(), String::new());
    let (mut at, mut depth, mut copied) = (0, 0_usize, 0);
    while at < text.len() {
        match text[at] {
            b'"' => at = end_of_string(text, at),
            b'{' | b'[' if depth == Data::DEPTH_MAX => return Err(DataError::TooDeep),
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b' ' | b'\t' | b'\n' | b'\r' => {
                out.reserve(json.len() - copied);
                out.push_str(&json[copied..at]);
                copied = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    if copied == 0 {
        return Ok(Cow::Borrowed(json));
    }
    out.push_str(&json[copied..]);
    Ok(Cow::Owned(out))
}

/// The closing quote of the string that begins at this one.
fn end_of_string(text: &[u8], quote: usize) -> usize {
    let mut at = quote + 1;
    while let Some(byte) = text.get(at)
        && *byte != b'"'
    {
        at += if *byte == b'\\' { 2 } else { 1 };
    }
    at
}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Bodies do not belong into logs; the length is what helps there.
        write!(f, "Data({} bytes)", self.0.len())
    }
}

impl Timestamp {
    /// Checks that `text` is an RFC 3339 time and keeps it unchanged.
    pub fn new(text: &str) -> Result<Self, InvalidTimestamp> {
        // The library takes any byte between date and time. With a proper one there, nothing in the grammar needs
        // escaping inside JSON.
        let separated = matches!(text.as_bytes().get(10), Some(b'T' | b't' | b' '));
        match LogTime::parse(text) {
            Some(_) if separated && text.is_ascii() => Ok(Self(text.into())),
            _ => Err(InvalidTimestamp),
        }
    }

    /// The time as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<LogTime> for Timestamp {
    fn from(time: LogTime) -> Self {
        Self(time.to_string().into())
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
