//! What a server answers, read: text and arrays become positions, times and entries. Asks nothing.

use std::{sync::Arc, time::Duration};

use fred::types::Value;
use serde_json::value::RawValue;

use super::{
    commands::Ran,
    store::{Content, Lineage, Refusal, Standing, StoreError, Stored, Taken},
};
use crate::{
    eventlog::Appended,
    model::{Data, Entry, Epoch, Event, LogTime, Origin, Position, ProductId, Timestamp},
};

/// The answer is none that our scripts give.
pub(super) const UNREADABLE: StoreError = StoreError::Refused(Refusal::Other);

/// The kind of an entry that says that an input lost something; every other kind is an event's type.
pub(super) const KIND_GAP: &str = "gap";

/// What came of each of so many requests. `fenced` and `inconsistent` stand alone; see append.lua for the rest.
pub(super) fn read_append(ran: &Ran, requests: usize) -> Result<Vec<Result<Taken, StoreError>>, StoreError> {
    let text = |i: usize| ran.returned.get(i).map_or("", String::as_str);
    match text(0) {
        "done" => {}
        "fenced" => return Err(StoreError::Fenced),
        "inconsistent" => return Err(StoreError::Inconsistent(text(1).parse().ok())),
        _ => return Err(UNREADABLE),
    }
    let lineage = Lineage(text(1).into());
    let each = ran.returned.get(2..).unwrap_or_default().chunks_exact(4);
    let taken = each.map(|answer| match read_appended(answer)? {
        _ if !ran.confirmed => Err(StoreError::Unknown),
        appended => Ok(Taken { appended, lineage: lineage.clone() }),
    });
    let taken: Vec<_> = taken.collect();
    if taken.len() == requests { Ok(taken) } else { Err(UNREADABLE) }
}

/// What came of the only request of a call.
pub(super) fn read_append_of_one(ran: &Ran) -> Result<Taken, StoreError> {
    read_append(ran, 1)?.pop().unwrap_or(Err(UNREADABLE))
}

fn read_appended(answer: &[String]) -> Result<Appended, StoreError> {
    let [what, accepted, duplicates, cursor] = answer else { return Err(UNREADABLE) };
    if what == "key_reused" {
        return Err(StoreError::KeyReused);
    }
    let read = || {
        Some(Appended {
            accepted: accepted.parse().ok()?,
            duplicates: duplicates.parse().ok()?,
            cursor: cursor.parse().ok()?,
            repeated: what == "repeated",
        })
    };
    read().ok_or(UNREADABLE)
}

pub(super) fn read_standing(returned: &[String]) -> Option<Standing> {
    let text = |i: usize| returned.get(i).map_or("", String::as_str);
    Some(Standing {
        head: text(0).parse::<Epoch>().ok()?.at_spelled(text(1)).ok()?,
        first_n: text(2).parse().ok()?,
        log_time: log_time(text(3))?,
        born: log_time(text(4))?,
        age: Duration::from_micros(text(5).parse().ok()?),
        ended: text(6).parse().ok(),
        lineage: Lineage(text(7).into()),
    })
}

fn log_time(micros: &str) -> Option<LogTime> {
    micros.parse().ok().map(LogTime::from_micros)
}

/// What `XREAD` answers: `[[key, [[id, [field, value, ...]], ...]]]`, or nil when nothing came.
pub(super) fn read_stream(read: Value) -> Option<Vec<Stored>> {
    let first = |value: Value| value.into_array().into_iter().next();
    let Some(stream) = first(read).filter(Value::is_array) else { return Some(Vec::new()) };
    let entries = stream.into_array().into_iter().nth(1).map(Value::into_array).unwrap_or_default();
    entries.iter().map(read_entry).collect()
}

/// Names and values in turn. A busy log brings tens of thousands of entries a second, so nothing is copied to look at it.
#[derive(Clone, Copy)]
struct Fields<'a>(&'a [Value]);

impl<'a> Fields<'a> {
    /// `None`: not all of it is text.
    fn new(values: &'a [Value]) -> Option<Self> {
        values.iter().all(|value| text_of(value).is_some()).then_some(Self(values))
    }

    /// Empty if there is none.
    fn get(self, name: &str) -> &'a str {
        let mut pairs = self.0.chunks_exact(2).map(|pair| (text_of(&pair[0]), text_of(&pair[1])));
        pairs.find(|(found, _)| *found == Some(name)).and_then(|(_, value)| value).unwrap_or_default()
    }
}

fn text_of(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text),
        Value::Bytes(bytes) => str::from_utf8(bytes).ok(),
        _ => None,
    }
}

fn read_entry(entry: &Value) -> Option<Stored> {
    let Value::Array(parts) = entry else { return None };
    let [id, Value::Array(fields), ..] = parts.as_slice() else { return None };
    let fields = Fields::new(fields)?;
    let epoch: Epoch = fields.get("e").parse().ok()?;
    let at = epoch.at_spelled(text_of(id)?.strip_suffix("-0")?).ok()?;
    let (taken, before) = (log_time(fields.get("t"))?, log_time(fields.get("b"))?);
    let content = read_content(fields, at, taken).unwrap_or(Content::Unreadable);
    Some(Stored { at, log_time: taken, before, content })
}

fn read_content(fields: Fields<'_>, at: Position, log_time: LogTime) -> Option<Content> {
    if fields.get("k") == KIND_GAP {
        let ids = fields.get("p").split(',').filter(|id| !id.is_empty());
        return Some(Content::InputGap(ids.map(|id| ProductId::new(id).ok()).collect::<Option<_>>()?));
    }
    let data: &RawValue = serde_json::from_str(fields.get("d")).ok()?;
    let event = Event {
        product_id: ProductId::new(fields.get("p")).ok()?,
        event_type: fields.get("k").parse().ok()?,
        data: Data::new(data).ok()?,
        timestamp: Timestamp::new(fields.get("s")).ok()?,
    };
    let message = match fields.get("m") {
        "" => None,
        digest => Some(digest.parse().ok()?),
    };
    Some(Content::Event(Arc::new(Entry {
        at,
        log_time,
        event,
        message,
        origin: Origin::parse(fields.get("o")),
    })))
}
