//! From a message to checked events (contract section 3.2). Pure: no I/O, no log, and no bytes make it panic.
//!
//! All or nothing, as for a request: a message with one bad event brings none.

use std::fmt;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::names::{Channel, Shape};
use crate::{
    eventlog::{BodyDigest, ClaimKey, NewEvent, RequestClaim},
    ingest::notify::{self, BODY_BYTES_MAX, EVENTS_MAX, Form},
    model::{Event, EventType, LogTime, ProductId},
    web::Problem,
};

/// What a message says.
#[derive(Debug)]
pub enum Parsed {
    /// Events to append, at least one.
    Events(Vec<NewEvent>),
    /// It was sent by a gateway, about an event that is in the log: nothing to do.
    Mirrored,
    /// Nothing that can be taken in.
    Unreadable(Unreadable),
}

/// Why a message cannot be read: one short line that holds nothing of the message, so it may be logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable(String);

impl Unreadable {
    /// Not unreadable by itself, but whoever took it in may have ended because of it.
    pub(super) fn delivered_too_often() -> Self {
        Self("it was delivered five times and never acknowledged".into())
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Problem> for Unreadable {
    fn from(problem: Problem) -> Self {
        Self(problem.to_string())
    }
}

/// Reads a message. `now` stands in for a missing timestamp.
pub fn parse(channel: Channel, payload: &[u8], now: LogTime) -> Parsed {
    read(channel.shape(), payload, now)
}

/// Reads the field `event` of an entry of the input stream.
pub fn parse_entry(event: &[u8], now: LogTime) -> Parsed {
    read(Shape::Notify, event, now)
}

/// The field `event` of an entry of the input stream. Other fields are ignored, as unknown fields of an event are;
/// two of that name are not, because nobody could say which one counts.
pub fn event_field<K: AsRef<[u8]>, V>(fields: impl IntoIterator<Item = (K, V)>) -> Result<V, Unreadable> {
    let mut events = fields.into_iter().filter(|(name, _)| name.as_ref() == b"event").map(|(_, value)| value);
    match (events.next(), events.next()) {
        (Some(event), None) => Ok(event),
        _ => Err(Unreadable("the entry has not one field `event`".into())),
    }
}

/// The claim that lets an entry of the input stream be delivered again without being appended again.
pub fn entry_claim(stream: &str, id: &str, event: &[u8]) -> RequestClaim {
    RequestClaim { key: ClaimKey::stream_entry(stream, id, event), body: BodyDigest::of(event) }
}

fn read(shape: Shape, payload: &[u8], now: LogTime) -> Parsed {
    if payload.len() > BODY_BYTES_MAX {
        return Parsed::Unreadable(Problem::body_too_large(BODY_BYTES_MAX).into());
    }
    if is_mirrored(payload) {
        return Parsed::Mirrored;
    }
    let events = match shape {
        Shape::Notify => notify::events(payload, Form::Any, now),
        Shape::Product(event_type) => Whole::read(payload).and_then(|whole| {
            let id = whole.product_id()?;
            whole.events(event_type, vec![id], now)
        }),
        Shape::Products(event_type) => Whole::read(payload).and_then(|whole| {
            let ids = whole.product_ids()?;
            whole.events(event_type, ids, now)
        }),
    };
    events.map_or_else(|problem| Parsed::Unreadable(problem.into()), Parsed::Events)
}

/// What a gateway writes into each message it sends.
const VIA: &str = "shelfcast";

#[derive(Deserialize)]
struct Mark<'a> {
    #[serde(borrow, default)]
    via: Option<&'a RawValue>,
}

/// Asked on every channel, so that a bridge between two of them makes no loop.
fn is_mirrored(payload: &[u8]) -> bool {
    let mark = serde_json::from_slice::<Mark<'_>>(payload).ok();
    let via = mark.and_then(|mark| mark.via).and_then(|via| serde_json::from_str::<String>(via.get()).ok());
    via.as_deref() == Some(VIA) && payload.trim_ascii_start().starts_with(b"{")
}

/// A payload that is an event's `data` as a whole, with the names in it that mean something here.
struct Whole<'a> {
    json: &'a RawValue,
    names: Names<'a>,
}

#[derive(Deserialize)]
struct Names<'a> {
    #[serde(borrow, default, rename = "productId")]
    camel: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "product_id")]
    snake: Option<&'a RawValue>,
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "productIds")]
    many: Option<&'a RawValue>,
    #[serde(borrow, default)]
    timestamp: Option<&'a RawValue>,
}

impl<'a> Whole<'a> {
    fn read(payload: &'a [u8]) -> Result<Self, Problem> {
        let text = notify::utf8(payload)?;
        Ok(Self { json: notify::read(text)?, names: notify::read(text)? })
    }

    /// The first of the three names that holds something.
    fn product_id(&self) -> Result<ProductId, Problem> {
        let Names { camel, snake, id, .. } = self.names;
        notify::product_id(camel.or(snake).or(id))
            .map_err(|expected| Problem::invalid_event(vec![notify::field("productId", expected)]))
    }

    /// At most as many as a request may bring, because each gets the whole payload: 500 times 16 KiB at the worst.
    fn product_ids(&self) -> Result<Vec<ProductId>, Problem> {
        let many = self.names.many.and_then(|many| serde_json::from_str::<Vec<&RawValue>>(many.get()).ok());
        let many = many.unwrap_or_default();
        if !(1..=EVENTS_MAX).contains(&many.len()) {
            let expected = format!("a list of 1 to {EVENTS_MAX} product ids");
            return Err(Problem::invalid_event(vec![notify::field("productIds", expected)]));
        }
        let id = |(i, value): (usize, &&RawValue)| {
            notify::product_id(Some(value)).map_err(|expected| {
                Problem::invalid_event(vec![notify::field(format!("productIds[{i}]"), expected)])
            })
        };
        many.iter().enumerate().map(id).collect()
    }

    fn events(
        &self,
        event_type: EventType,
        ids: Vec<ProductId>,
        now: LogTime,
    ) -> Result<Vec<NewEvent>, Problem> {
        let data = notify::data(Some(self.json))
            .map_err(|expected| Problem::invalid_event(vec![notify::field("", expected)]))?;
        // An event bus may spell its times in any way; the publisher's own stays in `data`.
        let timestamp = notify::timestamp(self.names.timestamp, now).unwrap_or_else(|_| now.into());
        let event = |product_id| NewEvent {
            event: Event { product_id, event_type, data: data.clone(), timestamp: timestamp.clone() },
            claim: None,
        };
        Ok(ids.into_iter().map(event).collect())
    }
}
