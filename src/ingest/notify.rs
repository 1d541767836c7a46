//! `POST /api/notify`: from a body to checked events (contract section 3.1). Pure: no I/O, no log.
//! Messages from Redis that bring the same JSON are read here too.
//!
//! All or nothing: one bad event refuses the request, and every bad field of every event is named.

use std::{borrow::Cow, fmt::Write as _};

use serde::{Deserialize, de::IgnoredAny};
use serde_json::{error::Category, value::RawValue};

use crate::{
    eventlog::{Append, Appended, BodyDigest, ClaimKey, NewEvent, RequestClaim},
    model::{Data, Event, EventType, LogTime, ProductId, Timestamp},
    web::{FieldError, Problem},
};

/// Bytes of a body (contract section 8).
pub const BODY_BYTES_MAX: usize = 256 * 1024;
/// Events in one request.
pub const EVENTS_MAX: usize = 500;
/// Characters of an `Idempotency-Key` or an `eventId`.
pub const KEY_LEN_MAX: usize = 255;

/// The two forms of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `/api/notify`: one event, or `{"events": [...]}`.
    Any,
    /// `/api/notify/batch`: `{"events": [...]}`.
    Batch,
}

/// What the 202 answer says. Spelt by hand: nothing in it needs escaping, and each event has one.
pub fn accepted(appended: Appended) -> String {
    let Appended { accepted, duplicates, cursor, repeated } = appended;
    let duplicate = repeated || accepted == 0;
    let mut json = String::with_capacity(128);
    // A string takes everything.
    let _written = write!(
        json,
        r#"{{"accepted":{accepted},"duplicates":{duplicates},"cursor":"{cursor}","duplicate":{duplicate}}}"#
    );
    json
}

/// Reads a request. `now` stands in for a missing timestamp.
pub fn parse(
    body: &[u8],
    form: Form,
    idempotency_key: Option<&[u8]>,
    now: LogTime,
) -> Result<Append, Problem> {
    let request = idempotency_key.map(|key| request_claim(key, body)).transpose()?;
    Ok(Append { request, events: events(body, form, now)?, message: None })
}

/// Reads the events of a body, at least one.
pub(super) fn events(body: &[u8], form: Form, now: LogTime) -> Result<Vec<NewEvent>, Problem> {
    let text = utf8(body)?;
    let mut errors = Vec::new();
    let fields: Fields<'_> = read(text)?;
    let events = match (fields.events, form) {
        (Some(_), form) if fields.product_id.is_some() && fields.event_type.is_some() => {
            let expected = if form == Form::Any { EITHER } else { LIST };
            return Err(Problem::invalid_event(vec![field("events", expected)]));
        }
        (Some(events), _) => check_list(events, now, &mut errors)?,
        (None, Form::Batch) => return Err(Problem::invalid_event(vec![field("events", LIST)])),
        (None, Form::Any) => fields.check("", now, &mut errors).into_iter().collect(),
    };
    if errors.is_empty() { Ok(events) } else { Err(Problem::invalid_event(errors)) }
}

const LIST: &str = "a list of 1 to 500 events";
/// To take the list only would lose the event beside it, and answer 202. A batch as it left a gateway has a product beside
/// its list and no type, and is taken.
const EITHER: &str = "either one event, or a list of events, not both";
const OBJECT: &str = "an object in which no name comes twice";

/// A body or an event of a list, as it came, each field still unread, so that every bad one can be named.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fields<'a> {
    #[serde(borrow, default)]
    product_id: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "type")]
    event_type: Option<&'a RawValue>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    timestamp: Option<&'a RawValue>,
    #[serde(borrow, default)]
    event_id: Option<&'a RawValue>,
    /// The one name that tells the two forms of a body apart.
    #[serde(borrow, default)]
    events: Option<&'a RawValue>,
}

fn check_list(
    events: &RawValue,
    now: LogTime,
    errors: &mut Vec<FieldError>,
) -> Result<Vec<NewEvent>, Problem> {
    let events: Vec<&RawValue> = serde_json::from_str(events.get())
        .map_err(|_| Problem::invalid_event(vec![field("events", LIST)]))?;
    match events.len() {
        0 => return Err(Problem::invalid_event(vec![field("events", LIST)])),
        count if count > EVENTS_MAX => return Err(Problem::too_many_events(count, EVENTS_MAX)),
        _ => {}
    }
    let mut checked = Vec::with_capacity(events.len());
    for (i, event) in events.iter().enumerate() {
        match serde_json::from_str::<Fields<'_>>(event.get()) {
            Ok(fields) if is_object(event.get()) => {
                checked.extend(fields.check(&format!("events[{i}]."), now, errors))
            }
            _ => errors.push(field(format!("events[{i}]"), OBJECT)),
        }
    }
    Ok(checked)
}

impl Fields<'_> {
    /// Every field of its own: all errors are noted, not only the first.
    fn check(self, at: &str, now: LogTime, errors: &mut Vec<FieldError>) -> Option<NewEvent> {
        let mut note = |name: &str, expected: String| errors.push(field(format!("{at}{name}"), expected));
        let product_id = product_id(self.product_id).map_err(|expected| note("productId", expected));
        let event_type = event_type(self.event_type).map_err(|expected| note("type", expected));
        let data = data(self.data).map_err(|expected| note("data", expected));
        let timestamp = timestamp(self.timestamp, now).map_err(|expected| note("timestamp", expected));
        let claim = claim(self.event_id).map_err(|expected| note("eventId", expected));
        let event = Event {
            product_id: product_id.ok()?,
            event_type: event_type.ok()?,
            data: data.ok()?,
            timestamp: timestamp.ok()?,
        };
        Some(NewEvent { event, claim: claim.ok()? })
    }
}

/// A string, or an integer as shops number their products: it is taken digit for digit.
pub(super) fn product_id(value: Option<&RawValue>) -> Result<ProductId, String> {
    let id = value.and_then(|value| {
        let integer = value.get().bytes().all(|b| b.is_ascii_digit());
        if integer { Some(value.get().into()) } else { string(value) }
    });
    id.and_then(|id| ProductId::new(&id).ok())
        .ok_or_else(|| "a string of 1 to 128 characters of A-Z a-z 0-9 . _ : ~ -, or a whole number".into())
}

fn event_type(value: Option<&RawValue>) -> Result<EventType, String> {
    value.and_then(string).and_then(|name| name.parse().ok()).ok_or_else(|| {
        let names = EventType::ALL.map(EventType::as_str).join(", ");
        format!("one of {names}")
    })
}

pub(super) fn data(value: Option<&RawValue>) -> Result<Data, String> {
    value.ok_or_else(|| "a JSON object".into()).and_then(|v| Data::new(v).map_err(|error| error.to_string()))
}

pub(super) fn timestamp(value: Option<&RawValue>, now: LogTime) -> Result<Timestamp, String> {
    let Some(value) = value else {
        return Ok(now.into());
    };
    let time = string(value).and_then(|text| Timestamp::new(&text).ok());
    time.ok_or_else(|| "an RFC 3339 time such as 2026-01-31T12:00:00Z".into())
}

fn claim(value: Option<&RawValue>) -> Result<Option<ClaimKey>, String> {
    let Some(value) = value else { return Ok(None) };
    match string(value).filter(|text| (1..=KEY_LEN_MAX).contains(&text.len())) {
        Some(text) => Ok(Some(ClaimKey::event(&text))),
        None => Err(format!("a string of 1 to {KEY_LEN_MAX} bytes")),
    }
}

/// What a JSON string says; copied only if something in it is escaped.
fn string(value: &RawValue) -> Option<Cow<'_, str>> {
    let quoted = value.get().strip_prefix('"')?;
    if quoted.contains('\\') {
        return serde_json::from_str(value.get()).ok().map(Cow::Owned);
    }
    quoted.strip_suffix('"').map(Cow::Borrowed)
}

fn request_claim(key: &[u8], body: &[u8]) -> Result<RequestClaim, Problem> {
    let key = std::str::from_utf8(key).ok().filter(|key| {
        (1..=KEY_LEN_MAX).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic() || b == b' ')
    });
    match key {
        Some(key) => Ok(RequestClaim { key: ClaimKey::request(key), body: BodyDigest::of(body) }),
        None => {
            let expected = format!("1 to {KEY_LEN_MAX} printable ASCII characters");
            Err(Problem::invalid_event(vec![field("Idempotency-Key", expected)]))
        }
    }
}

/// Reads the body itself: what is no JSON is told with its place, what is JSON of another shape as such.
pub(super) fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Problem> {
    let value = serde_json::from_str(text).map_err(|error| {
        // A name that comes twice, or a list, is met before what may be no JSON at all behind it.
        let shape = error.classify() == Category::Data || !is_object(text);
        match serde_json::from_str::<IgnoredAny>(text) {
            Ok(_) if shape => Problem::invalid_event(vec![field("", OBJECT)]),
            Ok(_) => malformed(&error),
            Err(error) => malformed(&error),
        }
    })?;
    if is_object(text) { Ok(value) } else { Err(Problem::invalid_event(vec![field("", OBJECT)])) }
}

fn malformed(error: &serde_json::Error) -> Problem {
    let message = error.to_string();
    let what = message.split(" at line ").next().unwrap_or_default();
    // The library counts what it has read of a line, and that is nothing where a body ends at the beginning of one.
    Problem::malformed_json(error.line(), error.column().max(1), what)
}

/// Valid JSON is an object when it opens like one. Asked for by name, because a struct is also read from a list.
fn is_object(json: &str) -> bool {
    json.trim_start().starts_with('{')
}

/// The body as text; where it stops being UTF-8 is told.
pub(super) fn utf8(body: &[u8]) -> Result<&str, Problem> {
    std::str::from_utf8(body).map_err(|error| {
        let before = &body[..error.valid_up_to()];
        let line = 1 + before.iter().filter(|b| **b == b'\n').count();
        let column = 1 + before.iter().rev().take_while(|b| **b != b'\n').count();
        Problem::malformed_json(line, column, "the body is not UTF-8")
    })
}

pub(super) fn field(path: impl Into<String>, expected: impl Into<String>) -> FieldError {
    FieldError { path: path.into(), expected: expected.into() }
}
