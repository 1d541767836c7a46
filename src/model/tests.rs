//! What the nouns promise, for any input.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::value::RawValue;

use super::*;

fn data(json: &str) -> Result<Data, DataError> {
    Data::new(&RawValue::from_string(json.into()).unwrap())
}

fn entry(n: u64, json: &str) -> Arc<Entry> {
    Arc::new(Entry {
        at: Epoch::from_random(7).at(n),
        log_time: LogTime::from_micros(1_767_225_600_300_127 + n as i64),
        event: Event {
            product_id: ProductId::new("product-123").unwrap(),
            event_type: EventType::PriceUpdate,
            data: data(json).unwrap(),
            timestamp: Timestamp::new("2026-01-01T00:00:00Z").unwrap(),
        },
        message: None,
        origin: None,
    })
}

#[test]
fn the_wire_form_of_a_batch() {
    let mut batch = Batch::of(entry(1, r#"{ "newPrice" : 1.50 }"#));
    batch.push(entry(4, r#"{"newPrice":12345678901234567890}"#));
    let epoch = Epoch::from_random(7);
    insta::assert_snapshot!(Frame::live(&batch, epoch.at(0), epoch.at(3), 0).json().get());
    insta::assert_snapshot!(Frame::replay(&batch, epoch.at(0)).json().get());
    let product = ProductId::new("product-123").unwrap();
    let empty = Frame::empty(&product, epoch.at(9), LogTime::from_micros(0));
    insta::assert_snapshot!(empty.json().get());
}

#[test]
fn data_must_be_an_object_of_bounded_size_and_depth() {
    assert_eq!(data("[1]"), Err(DataError::NotAnObject));
    assert_eq!(data("null"), Err(DataError::NotAnObject));
    let nested = |depth: usize| format!("{}{}", r#"{"a":"#.repeat(depth - 1) + "{", "}".repeat(depth));
    assert!(data(&nested(Data::DEPTH_MAX)).is_ok());
    assert_eq!(data(&nested(Data::DEPTH_MAX + 1)), Err(DataError::TooDeep));
    let sized = |len: usize| format!(r#"{{"a":"{}"}}"#, "x".repeat(len - 8));
    assert!(data(&sized(Data::LEN_MAX)).is_ok());
    assert_eq!(data(&sized(Data::LEN_MAX + 1)), Err(DataError::TooLarge));
    assert!(data(&format!("{{{}}}", " ".repeat(2 * Data::LEN_MAX))).is_ok(), "white space is not counted");
}

#[test]
fn an_encoded_event_is_as_long_as_it_says() {
    let entry = entry(1, r#"{"a":"b"}"#);
    let mut out = String::new();
    entry.event.encode(&mut out);
    assert_eq!(out.len(), entry.event.encoded_len());
}

#[test]
fn a_timestamp_is_strict_rfc_3339() {
    for good in ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.5+02:00", "1999-12-31T23:59:59.999999999Z"] {
        assert_eq!(Timestamp::new(good).unwrap().as_str(), good);
    }
    for bad in [
        "",
        "now",
        "2026-01-01",
        "2026-13-01T00:00:00Z",
        "1767225600",
        "2026-01-01T00:00:00",
        "2026-01-01T00:00:00Z\n",
    ] {
        assert!(Timestamp::new(bad).is_err(), "{bad:?}");
    }
}

fn any_json(depth: u32) -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        ".*".prop_map(Into::into),
    ];
    leaf.prop_recursive(depth, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::btree_map(".*", inner, 0..6)
                .prop_map(|m| serde_json::Value::Object(m.into_iter().collect())),
        ]
    })
}

proptest! {
    /// White space between tokens goes, every token stays as it was written.
    #[test]
    fn compacting_a_pretty_object_gives_its_compact_form(value in prop::collection::btree_map(".*", any_json(4), 0..6)) {
        let pretty = serde_json::to_string_pretty(&value).unwrap();
        let data = data(&pretty).unwrap();
        prop_assert_eq!(data.as_str(), serde_json::to_string(&value).unwrap());
    }

    #[test]
    fn a_cursor_reads_back_as_it_was_printed(bits: u64, n in 0..=N_MAX) {
        let position = Epoch::from_random(bits).at(n);
        prop_assert_eq!(position.to_string().parse(), Ok(position));
    }

    /// One text per position: whatever parses prints as the same text again.
    #[test]
    fn no_second_spelling_of_a_cursor(text in "[a-z0-9]{7,9}\\.[+0-9 ]{0,18}|.{0,20}") {
        if let Ok(position) = text.parse::<Position>() {
            prop_assert_eq!(position.to_string(), text);
        }
    }

    #[test]
    fn a_log_time_reads_back_exactly(micros in 0..=253_402_300_799_999_999_i64) {
        let time = LogTime::from_micros(micros);
        prop_assert_eq!(LogTime::parse(&time.to_string()), Some(time));
    }

    /// Whatever is taken as a time stands inside JSON as it is.
    #[test]
    fn no_byte_of_a_timestamp_breaks_the_frame(at in 0..20_usize, byte: char, good in "2026-01-01[Tt ]00:00:00(Z|\\+01:00)") {
        let mut text: Vec<char> = good.chars().collect();
        text[at] = byte;
        let text: String = text.into_iter().collect();
        if let Ok(timestamp) = Timestamp::new(&text) {
            let mut entry = Entry::clone(&entry(1, "{}"));
            entry.event.timestamp = timestamp;
            let epoch = entry.at.epoch;
            let frame = Frame::live(&Batch::of(Arc::new(entry)), epoch.at(0), epoch.at(1), 0);
            let json: serde_json::Value = serde_json::from_str(frame.json().get()).unwrap();
            prop_assert_eq!(&json["events"][0]["timestamp"], &text);
        }
    }

    #[test]
    fn a_product_id_is_what_the_contract_says(text in ".{0,130}|[A-Za-z0-9._:~-]{0,130}") {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._:~-".contains(c);
        let good = (1..=128).contains(&text.chars().count()) && text.chars().all(allowed);
        prop_assert_eq!(ProductId::new(&text).is_ok(), good);
    }
}
