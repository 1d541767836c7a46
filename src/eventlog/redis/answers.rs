//! What a server answers, read: text and arrays become positions, times and entries. Asks nothing.

use std::{collections::HashMap, str::FromStr, time::Duration};

use fred::types::Value;
use serde_json::value::RawValue;

use super::store::{Content, Lineage, Refusal, Standing, StoreError, Stored, Taken};
use crate::{
    eventlog::Appended,
    model::{Data, Entry, Epoch, Event, LogTime, Origin, Position, ProductId, Timestamp},
};

/// The kind of an entry that says that an input lost something; every other kind is an event's type.
pub(super) const KIND_GAP: &str = "gap";

/// `fenced`, `key_reused` and `inconsistent` stand alone; see append.lua for the rest.
pub(super) fn read_append(returned: &[String]) -> Result<Taken, StoreError> {
    let text = |i: usize| returned.get(i).map_or("", String::as_str);
    match text(0) {
        "fenced" => return Err(StoreError::Fenced),
        "key_reused" => return Err(StoreError::KeyReused),
        "inconsistent" => return Err(StoreError::Inconsistent(read_epoch(text(1)))),
        _ => {}
    }
    let read = || {
        Some(Taken {
            appended: Appended {
                accepted: text(1).parse().ok()?,
                duplicates: text(2).parse().ok()?,
                cursor: text(3).parse().ok()?,
                repeated: text(0) == "repeated",
            },
            lineage: Lineage(text(4).into()),
        })
    };
    read().ok_or(StoreError::Refused(Refusal::Other))
}

pub(super) fn read_standing(returned: &[String]) -> Option<Standing> {
    let text = |i: usize| returned.get(i).map_or("", String::as_str);
    Some(Standing {
        head: Position::from_str(&format!("{}.{}", text(0), text(1))).ok()?,
        first_n: text(2).parse().ok()?,
        log_time: log_time(text(3))?,
        born: log_time(text(4))?,
        age: Duration::from_micros(text(5).parse().ok()?),
        ended: text(6).parse().ok(),
        lineage: Lineage(text(7).into()),
    })
}

pub(super) fn read_epoch(name: &str) -> Option<Epoch> {
    format!("{name}.0").parse::<Position>().ok().map(|start| start.epoch)
}

fn log_time(micros: &str) -> Option<LogTime> {
    micros.parse().ok().map(LogTime::from_micros)
}

/// What `XREAD` answers: `[[key, [[id, [field, value, ...]], ...]]]`, or nil when nothing came.
pub(super) fn read_stream(read: Value) -> Option<Vec<Stored>> {
    let first = |value: Value| value.into_array().into_iter().next();
    let Some(stream) = first(read).filter(Value::is_array) else { return Some(Vec::new()) };
    let entries = stream.into_array().into_iter().nth(1).map(Value::into_array).unwrap_or_default();
    entries.into_iter().map(read_entry).collect()
}

fn read_entry(entry: Value) -> Option<Stored> {
    let mut parts = entry.into_array().into_iter();
    let id = parts.next()?.into_string()?;
    let mut pairs = parts.next()?.into_array().into_iter();
    let mut fields = HashMap::new();
    while let (Some(name), Some(value)) = (pairs.next(), pairs.next()) {
        fields.insert(name.into_string()?, value.into_string()?);
    }
    let field = |name: &str| fields.get(name).map_or("", String::as_str);
    let n = id.strip_suffix("-0")?;
    let at = Position::from_str(&format!("{}.{n}", field("e"))).ok()?;
    let (taken, before) = (log_time(field("t"))?, log_time(field("b"))?);
    let content = read_content(&field, at, taken).unwrap_or(Content::Unreadable);
    Some(Stored { at, log_time: taken, before, content })
}

fn read_content<'a>(field: &impl Fn(&str) -> &'a str, at: Position, log_time: LogTime) -> Option<Content> {
    if field("k") == KIND_GAP {
        let ids = field("p").split(',').filter(|id| !id.is_empty());
        return Some(Content::InputGap(ids.map(|id| ProductId::new(id).ok()).collect::<Option<_>>()?));
    }
    let data = RawValue::from_string(field("d").to_owned()).ok()?;
    let event = Event {
        product_id: ProductId::new(field("p")).ok()?,
        event_type: field("k").parse().ok()?,
        data: Data::new(&data).ok()?,
        timestamp: Timestamp::new(field("s")).ok()?,
    };
    let message = match field("m") {
        "" => None,
        digest => Some(digest.parse().ok()?),
    };
    Some(Content::Event(Box::new(Entry { at, log_time, event, message, origin: Origin::parse(field("o")) })))
}
