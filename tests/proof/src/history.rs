//! Histories: what publishers did and what clients saw, in order of time. Judges nothing.
//!
//! On disk a history is JSON, one operation a line (README.md lists them); fields that are not known are skipped.
//! In memory names are numbers, so that millions of operations fit and compare fast.

use std::{
    borrow::Cow,
    collections::HashMap,
    fmt,
    io::{self, BufRead},
};

use serde::{Deserialize, Deserializer, de};
use serde_json::{Value, json, value::RawValue};

/// A product, a client, an epoch: whatever has a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(u32);

/// All names of a history.
#[derive(Debug, Default)]
pub struct Names {
    texts: Vec<Box<str>>,
    known: HashMap<Box<str>, u32>,
}

impl Names {
    /// The name that is spelt so.
    pub fn of(&mut self, text: &str) -> Name {
        if let Some(known) = self.known.get(text) {
            return Name(*known);
        }
        let new = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
        self.texts.push(text.into());
        self.known.insert(text.into(), new);
        Name(new)
    }

    /// How it is spelt.
    pub fn text(&self, name: Name) -> &str {
        self.texts.get(name.0 as usize).map_or("?", |text| text)
    }

    /// The cursor that is spelt so.
    pub fn position(&mut self, cursor: &str) -> Option<Pos> {
        let (epoch, n) = cursor.rsplit_once('.')?;
        Some(Pos { epoch: self.of(epoch), n: n.parse().ok()? })
    }

    /// How a position is spelt.
    pub fn cursor(&self, at: Pos) -> String {
        format!("{}.{}", self.text(at.epoch), at.n)
    }
}

/// A place in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pos {
    /// Which life of the log.
    pub epoch: Name,
    /// Which event of that life.
    pub n: u64,
}

/// One line of a history.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// When, in milliseconds.
    pub t: f64,
    /// What.
    pub op: Op,
}

/// What happened. A request is answered once or more: a publisher may try it again with the same key.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the fields are the format; README.md describes it")]
pub enum Op {
    /// An event is about to be sent.
    Publish { id: u64, product: Name, kind: Name, request: u64 },
    /// The request was answered 202.
    Accepted { request: u64, ids: Vec<u64>, cursor: Option<Pos>, duplicate: bool },
    /// The request was refused.
    Refused { request: u64, status: u16 },
    /// Nobody knows.
    Unknown { request: u64 },
    /// A client connected.
    Open { client: Name, conn: Name, pod: Name, transport: Name, announced: bool },
    /// A connection ended.
    Close { conn: Name },
    /// A client asks to join, or asks again where it has joined.
    Join { conn: Name, product: Name, since: Option<Pos> },
    /// It was answered.
    Joined { conn: Name, product: Name, result: Answer, cursor: Option<Pos> },
    /// A client leaves.
    Leave { conn: Name, product: Name },
    /// A batch came; without events it is the word to refetch.
    Batch {
        conn: Name,
        product: Name,
        cursor: Option<Pos>,
        previous: Option<Pos>,
        replay: bool,
        events: Vec<(u64, Name)>,
    },
    /// The word to refetch came; `None`: everything.
    Resync { conn: Name, products: Option<Vec<Name>>, reason: Name, cursor: Option<Pos> },
    /// The word where the client stands.
    Position { conn: Name, cursor: Option<Pos> },
    /// Something was broken or mended.
    Fault { what: Name },
    /// The run is over.
    End,
}

/// What a client was answered when it joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It did not say where it was.
    Joined,
    /// An SSE stream: what it missed comes without a word about it.
    Stream,
    /// What it missed came.
    Events,
    /// It has everything.
    UpToDate,
    /// It must refetch.
    Resync,
    /// It did not join.
    Refused,
}

impl Answer {
    /// Its name in a history.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Joined => "joined",
            Self::Stream => "stream",
            Self::Events => "events",
            Self::UpToDate => "up_to_date",
            Self::Resync => "resync_required",
            Self::Refused => "refused",
        }
    }

    /// The answer of that name; whatever else an answer says is an error code.
    pub fn of(text: &str) -> Self {
        let all = [Self::Joined, Self::Stream, Self::Events, Self::UpToDate, Self::Resync];
        all.into_iter().find(|answer| answer.as_str() == text).unwrap_or(Self::Refused)
    }
}

/// Why a line cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The file.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The line.
    #[error("line {line}: {what}")]
    Line {
        /// Its number, from 1.
        line: u32,
        /// What is wrong.
        what: String,
    },
}

/// Reads a history to its end, line by line: `each` gets the number of the line, from 1, and what it says. The last line
/// may be cut, as that of a recorder that was killed.
pub fn read(
    mut from: impl BufRead,
    names: &mut Names,
    mut each: impl FnMut(u32, Record),
) -> Result<u32, HistoryError> {
    let (mut text, mut line) = (String::new(), 0);
    loop {
        text.clear();
        if from.read_line(&mut text)? == 0 {
            return Ok(line);
        }
        line += 1;
        if text.trim().is_empty() {
            continue;
        }
        match parse(&text, names) {
            Ok(record) => each(line, record),
            Err(_) if !text.ends_with('\n') => return Ok(line - 1),
            Err(what) => return Err(HistoryError::Line { line, what }),
        }
    }
}

/// Reads one line.
pub fn parse(text: &str, names: &mut Names) -> Result<Record, String> {
    let line: Line<'_> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    line.record(names)
}

impl Record {
    /// The line as it is written.
    pub fn to_json(&self, names: &Names) -> Value {
        let text = |name: &Name| names.text(*name).to_owned();
        let at = |at: &Option<Pos>| at.map(|at| names.cursor(at));
        let mut value = match &self.op {
            Op::Publish { id, product, kind, request } => {
                json!({"op": "publish", "id": id, "product": text(product), "type": text(kind), "request": request})
            }
            Op::Accepted { request, ids, cursor, duplicate } => {
                json!({"op": "accepted", "request": request, "ids": ids, "cursor": at(cursor), "duplicate": duplicate})
            }
            Op::Refused { request, status } => {
                json!({"op": "refused", "request": request, "status": status})
            }
            Op::Unknown { request } => json!({"op": "unknown", "request": request}),
            Op::Open { client, conn, pod, transport, announced } => json!({
                "op": "open", "client": text(client), "conn": text(conn), "pod": text(pod),
                "transport": text(transport), "announced": announced,
            }),
            Op::Close { conn } => json!({"op": "close", "conn": text(conn)}),
            Op::Join { conn, product, since } => {
                json!({"op": "join", "conn": text(conn), "product": text(product), "since": at(since)})
            }
            Op::Joined { conn, product, result, cursor } => json!({
                "op": "joined", "conn": text(conn), "product": text(product), "result": result.as_str(), "cursor": at(cursor),
            }),
            Op::Leave { conn, product } => {
                json!({"op": "leave", "conn": text(conn), "product": text(product)})
            }
            Op::Batch { conn, product, cursor, previous, replay, events } => json!({
                "op": "batch", "conn": text(conn), "product": text(product), "cursor": at(cursor),
                "previous": at(previous), "replay": replay,
                "events": events.iter().map(|(id, kind)| json!([id, text(kind)])).collect::<Vec<_>>(),
            }),
            Op::Resync { conn, products, reason, cursor } => json!({
                "op": "resync", "conn": text(conn),
                "products": products.as_ref().map(|all| all.iter().map(text).collect::<Vec<_>>()),
                "reason": text(reason), "cursor": at(cursor),
            }),
            Op::Position { conn, cursor } => {
                json!({"op": "position", "conn": text(conn), "cursor": at(cursor)})
            }
            Op::Fault { what } => json!({"op": "fault", "what": text(what)}),
            Op::End => json!({"op": "end"}),
        };
        if let Value::Object(fields) = &mut value {
            fields.shift_insert(0, "t".to_owned(), self.t.into());
        }
        value
    }
}

/// A name or a number, borrowed where that is possible.
struct Text<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name or a number")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(number.to_string())))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// Every field that any operation has.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    op: Text<'a>,
    t: f64,
    id: Option<u64>,
    #[serde(borrow)]
    product: Option<Text<'a>>,
    #[serde(borrow, rename = "type")]
    kind: Option<Text<'a>>,
    request: Option<u64>,
    ids: Option<Vec<u64>>,
    #[serde(borrow)]
    cursor: Option<Text<'a>>,
    duplicate: Option<bool>,
    status: Option<u16>,
    #[serde(borrow)]
    client: Option<Text<'a>>,
    #[serde(borrow)]
    conn: Option<Text<'a>>,
    #[serde(borrow)]
    pod: Option<Text<'a>>,
    #[serde(borrow)]
    transport: Option<Text<'a>>,
    announced: Option<bool>,
    #[serde(borrow)]
    since: Option<Text<'a>>,
    #[serde(borrow)]
    result: Option<Text<'a>>,
    #[serde(borrow)]
    previous: Option<Text<'a>>,
    replay: Option<bool>,
    #[serde(borrow)]
    events: Option<Vec<(u64, Text<'a>)>>,
    #[serde(borrow)]
    products: Option<Vec<Text<'a>>>,
    #[serde(borrow)]
    reason: Option<Text<'a>>,
    #[serde(borrow)]
    what: Option<&'a RawValue>,
}

impl Line<'_> {
    fn record(self, names: &mut Names) -> Result<Record, String> {
        let op = self.op.0;
        let lacks = |field: &str| format!("{op} has no {field}");
        let mut name =
            |text: Option<Text<'_>>, field| text.map(|text| names.of(&text.0)).ok_or_else(|| lacks(field));
        let request = || self.request.ok_or_else(|| lacks("request"));
        let op = match op.as_ref() {
            "publish" => Op::Publish {
                id: self.id.ok_or_else(|| lacks("id"))?,
                product: name(self.product, "product")?,
                kind: name(self.kind, "type")?,
                request: request()?,
            },
            "accepted" => Op::Accepted {
                request: request()?,
                ids: self.ids.ok_or_else(|| lacks("ids"))?,
                cursor: position(self.cursor, names)?,
                duplicate: self.duplicate.unwrap_or(false),
            },
            "refused" => {
                Op::Refused { request: request()?, status: self.status.ok_or_else(|| lacks("status"))? }
            }
            "unknown" => Op::Unknown { request: request()? },
            "open" => Op::Open {
                client: name(self.client, "client")?,
                conn: name(self.conn, "conn")?,
                pod: name(self.pod, "pod")?,
                transport: name(self.transport, "transport")?,
                announced: self.announced.unwrap_or(false),
            },
            "close" => Op::Close { conn: name(self.conn, "conn")? },
            "join" => Op::Join {
                conn: name(self.conn, "conn")?,
                product: name(self.product, "product")?,
                since: position(self.since, names)?,
            },
            "joined" => Op::Joined {
                conn: name(self.conn, "conn")?,
                product: name(self.product, "product")?,
                result: Answer::of(&self.result.ok_or_else(|| lacks("result"))?.0),
                cursor: position(self.cursor, names)?,
            },
            "leave" => Op::Leave { conn: name(self.conn, "conn")?, product: name(self.product, "product")? },
            "batch" => Op::Batch {
                conn: name(self.conn, "conn")?,
                product: name(self.product, "product")?,
                cursor: position(self.cursor, names)?,
                previous: position(self.previous, names)?,
                replay: self.replay.unwrap_or(false),
                events: self
                    .events
                    .ok_or_else(|| lacks("events"))?
                    .into_iter()
                    .map(|(id, kind)| (id, names.of(&kind.0)))
                    .collect(),
            },
            "resync" => Op::Resync {
                conn: name(self.conn, "conn")?,
                reason: names.of(self.reason.as_ref().map_or("", |reason| &reason.0)),
                cursor: position(self.cursor, names)?,
                products: self.products.map(|all| all.iter().map(|id| names.of(&id.0)).collect()),
            },
            "position" => {
                Op::Position { conn: name(self.conn, "conn")?, cursor: position(self.cursor, names)? }
            }
            "fault" => Op::Fault { what: names.of(self.what.map_or("", RawValue::get).trim_matches('"')) },
            "end" => Op::End,
            other => return Err(format!("unknown op {other:?}")),
        };
        Ok(Record { t: self.t, op })
    }
}

fn position(cursor: Option<Text<'_>>, names: &mut Names) -> Result<Option<Pos>, String> {
    let read = |text: Text<'_>| {
        names.position(&text.0).ok_or_else(|| format!("{:?} is no cursor (epoch.n)", text.0))
    };
    cursor.map(read).transpose()
}
