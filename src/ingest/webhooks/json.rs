//! Reading what platforms send: big objects, of which a few fields count, and those in more than one spelling. Pure; what
//! cannot be read is absent, because a platform's next version must not stop what can be.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::{
    ingest::notify,
    model::{Decimal, LogTime, ProductId},
    web::Problem,
};

/// Characters of a product's name that are told. More is no name, and would not fit into an event.
const NAME_CHARS_MAX: usize = 512;

/// An object with its fields unread. A name that comes twice counts as it came first.
#[derive(Debug, Default)]
pub(super) struct Object<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Object<'a> {
    /// Reads a body, which must be one object.
    pub(super) fn read(body: &'a [u8]) -> Result<Self, Problem> {
        notify::read(notify::utf8(body)?)
    }

    /// The field of this name, unless it is `null`.
    pub(super) fn get(&self, name: &str) -> Option<&'a RawValue> {
        let found = self.0.iter().find(|(known, _)| known == name).map(|(_, value)| *value);
        found.filter(|value| value.get() != "null")
    }

    /// The texts of these fields as they came, an absent one as an empty text.
    pub(super) fn texts(&self, names: &[&str]) -> impl Iterator<Item = &'a str> {
        names.iter().map(|name| self.get(name).map_or("", RawValue::get))
    }

    /// A text that is not empty.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.get(name).and_then(text)
    }

    /// What a product is called, as far as it is told.
    pub(super) fn name(&self, name: &str) -> Option<Box<str>> {
        self.text(name).map(|name| name.chars().take(NAME_CHARS_MAX).collect::<String>().into())
    }

    /// A number, or one written as a text.
    pub(super) fn decimal(&self, name: &str) -> Option<Decimal> {
        self.get(name).and_then(decimal)
    }

    /// A whole number above zero, digit for digit.
    pub(super) fn id(&self, name: &str) -> Option<ProductId> {
        self.get(name).and_then(id)
    }

    /// Whether it is `true`.
    pub(super) fn is_true(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.get() == "true")
    }

    /// Whether it is there, be it `null`.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    /// Whether it is there and `null`.
    pub(super) fn is_null(&self, name: &str) -> bool {
        self.has(name) && self.get(name).is_none()
    }

    /// A time with its zone or, without one, in UTC.
    pub(super) fn time(&self, name: &str) -> Option<LogTime> {
        let text = self.text(name)?;
        LogTime::parse(&text).or_else(|| LogTime::parse(&format!("{text}Z")))
    }

    /// The values of a list; none if it is no list.
    pub(super) fn list(&self, name: &str) -> Vec<&'a RawValue> {
        self.get(name).and_then(|list| serde_json::from_str(list.get()).ok()).unwrap_or_default()
    }

    /// The objects of a list; what is none is left out.
    pub(super) fn objects(&self, name: &str) -> impl Iterator<Item = Self> {
        self.list(name).into_iter().filter_map(Self::of)
    }

    /// A value that is an object.
    pub(super) fn of(value: &'a RawValue) -> Option<Self> {
        serde_json::from_str(value.get()).ok()
    }
}

/// A text that is not empty.
pub(super) fn text(value: &RawValue) -> Option<String> {
    serde_json::from_str::<String>(value.get()).ok().filter(|text| !text.is_empty())
}

/// A whole number above zero, digit for digit: those of Shopify are beyond what a float holds.
pub(super) fn id(value: &RawValue) -> Option<ProductId> {
    let digits = value.get();
    let whole = digits.len() <= 20 && digits.bytes().all(|byte| byte.is_ascii_digit()) && digits != "0";
    whole.then(|| ProductId::new(digits).ok()).flatten()
}

/// A number, or one written as a text.
pub(super) fn decimal(value: &RawValue) -> Option<Decimal> {
    Decimal::parse(value.get()).ok().or_else(|| Decimal::parse(&text(value)?).ok())
}

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut fields = Vec::new();
                while let Some((Name(name), value)) = map.next_entry()? {
                    fields.push((name, value));
                }
                Ok(Object(fields))
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

/// A field's name, copied only where it has escapes.
#[derive(Deserialize)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_in_the_spellings_that_platforms_use() {
        let body = br#"{"p":"21.90","n":21.90,"e":"","z":null,"id":271878346596884015,"zero":0,"neg":-1,
            "float":1.0,"t":"2026-01-02T03:04:05","o":"2026-01-02T03:04:05-05:00","on":true,"off":"true",
            "l":[{"a":1},2,{"a":3}],"\u0061":"escaped"}"#;
        let object = Object::read(body).unwrap();
        let decimal = Decimal::parse("21.9").ok();
        assert_eq!((object.decimal("p"), object.decimal("n")), (decimal.clone(), decimal));
        for absent in ["e", "z", "none"] {
            assert!(object.text(absent).is_none() && object.decimal(absent).is_none(), "{absent}");
        }
        assert_eq!(object.id("id").unwrap().as_str(), "271878346596884015");
        for none in ["zero", "neg", "float", "p", "z", "l"] {
            assert_eq!(object.id(none), None, "{none}");
        }
        assert_eq!(object.time("t"), LogTime::parse("2026-01-02T03:04:05Z"));
        assert_eq!(object.time("o"), LogTime::parse("2026-01-02T08:04:05Z"));
        assert!(object.is_true("on") && !object.is_true("off"));
        let inner: Vec<_> = object.objects("l").map(|inner| inner.id("a").unwrap()).collect();
        assert_eq!(inner, [ProductId::new("1").unwrap(), ProductId::new("3").unwrap()]);
        assert_eq!(object.text("a").as_deref(), Some("escaped"));
        assert!(object.objects("p").next().is_none());
    }

    #[test]
    fn a_body_that_is_no_object_is_refused() {
        for body in ["", "[]", "null", "\"\"", "{", "{}x", "{\"a\":1,}", "\u{feff}{}"] {
            assert!(Object::read(body.as_bytes()).is_err(), "{body}");
        }
        assert!(Object::read(b"{\"a\":\"\xff\"}").is_err());
        assert!(Object::read(b" {} \n").is_ok());
    }
}
