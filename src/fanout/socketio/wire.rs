//! The shapes of Socket.IO arguments and answers.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::{Map, Value};

use crate::model::{LogTime, Position, ProductId};

/// The additions to the original events that this gateway knows.
pub(super) const FEATURES: &[&str] = &["ack", "cursor", "join_products", "position", "resync", "spread"];

/// The arguments of an event, however many there are.
#[derive(Debug, Default)]
pub(super) struct Args(Vec<Value>);

impl Args {
    /// The argument at `i`; `null` counts as missing, because that is what a client's `undefined` becomes.
    pub(super) fn get(&self, i: usize) -> Option<&Value> {
        self.0.get(i).filter(|v| !v.is_null())
    }
}

impl<'de> Deserialize<'de> for Args {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> de::Visitor<'de> for List {
            type Value = Args;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the arguments of an event")
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Args, A::Error> {
                let mut args = Vec::new();
                while let Some(arg) = seq.next_element()? {
                    args.push(arg);
                }
                Ok(Args(args))
            }
        }
        // Asking for a tuple is what makes the library hand over the whole list; its length does not matter.
        deserializer.deserialize_tuple(2, List)
    }
}

/// What a client gave as a product id: checked, or as it came, cut short, for telling it what was refused.
pub(super) fn product_id(value: &Value) -> Result<ProductId, String> {
    let text = match value {
        Value::String(text) => text.clone(),
        // Shops have numeric ids; JavaScript sends them as numbers.
        Value::Number(number) if number.is_u64() => number.to_string(),
        other => return Err(shown(&other.to_string())),
    };
    ProductId::new(&text).map_err(|_| shown(&text))
}

/// One id or a list of them; `None` if the argument is missing.
pub(super) fn product_ids(value: Option<&Value>) -> Option<Vec<Result<ProductId, String>>> {
    match value? {
        Value::Array(ids) => Some(ids.iter().map(product_id).collect()),
        id => Some(vec![product_id(id)]),
    }
}

/// A refused id as it is told back: at most as long as a good one.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(ProductId::LEN_MAX).collect()
}

/// The `connected` event.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Connected<'a> {
    pub(super) socket_id: &'a str,
    pub(super) authenticated: bool,
    pub(super) cursor: Position,
    pub(super) server_time: LogTime,
    pub(super) features: &'a [&'a str],
}

/// The `error` event.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Refusal<'a> {
    pub(super) message: &'a str,
    pub(super) code: Code,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) product_id: Option<&'a str>,
}

/// Why a request, or a part of it, was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Code {
    InvalidProductId,
    TooManyProducts,
    BadRequest,
    RateLimited,
}

/// An event without arguments: the library writes a tuple as the list of arguments, and `()` as one `null`.
#[derive(Debug, Serialize)]
pub(super) struct Nothing();

/// The answer to `join_product`.
#[derive(Debug, Serialize)]
pub(super) struct JoinAck {
    pub(super) ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<Code>,
    pub(super) joined: Vec<ProductId>,
    pub(super) refused: Map<String, Value>,
    pub(super) cursor: Position,
}

/// The answer to `leave_product`.
#[derive(Debug, Serialize)]
pub(super) struct LeaveAck {
    pub(super) ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<Code>,
}

/// The answer to `join_products`.
#[derive(Debug, Serialize)]
pub(super) struct JoinsAck {
    pub(super) ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<Code>,
    pub(super) cursor: Position,
    pub(super) results: Map<String, Value>,
}

/// The answer to `request_sync`.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum SyncAck {
    Answered { ok: bool, status: &'static str, cursor: Position },
    Refused { ok: bool, code: Code },
}

impl Code {
    pub(super) fn to_value(self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    pub(super) fn message(self) -> &'static str {
        match self {
            Self::InvalidProductId => "a product id is 1 to 128 characters of A-Z a-z 0-9 . _ : ~ -",
            Self::TooManyProducts => "a connection may track at most 200 products",
            Self::RateLimited => "too many messages, or too many products asked about with a position",
            Self::BadRequest => "the event or its arguments are not as documented",
        }
    }
}
