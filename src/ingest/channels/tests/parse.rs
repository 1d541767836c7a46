//! What each kind of message becomes, and that no bytes at all make the reader panic or tell a secret.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::*;
use crate::model::{EventType, LogTime, MessageDigest};

/// Stands in payloads where a publisher's secret might; no reason may hold it.
const SECRET: &str = "hush-hush";

fn now() -> LogTime {
    LogTime::from_micros(1_767_225_600_000_000)
}

fn channel(name: &str) -> Channel {
    ChannelNames::new("").channel(name).unwrap()
}

/// Product, type, data and time of each event.
fn events(name: &str, payload: &str) -> Vec<(String, &'static str, String, String)> {
    match parse(channel(name), payload.as_bytes(), now()) {
        Parsed::Events(events) => events
            .into_iter()
            .map(|new| {
                let event = new.event;
                let (data, time) = (event.data.as_str().to_owned(), event.timestamp.as_str().to_owned());
                (event.product_id.to_string(), event.event_type.as_str(), data, time)
            })
            .collect(),
        other => panic!("{name} {payload}: {other:?}"),
    }
}

fn reason(name: &str, payload: impl AsRef<[u8]>) -> String {
    match parse(channel(name), payload.as_ref(), now()) {
        Parsed::Unreadable(reason) => reason.to_string(),
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn names_bear_the_prefix() {
    let names = ChannelNames::new("shop1:");
    assert_eq!(names.subscriptions().len(), 14);
    for (i, full) in names.subscriptions().iter().enumerate() {
        let channel = names.channel(full).unwrap();
        assert_eq!((channel.index(), format!("shop1:{}", channel.name())), (i, full.clone()));
        assert_eq!(channel.is_mirror(), channel.name() == "product-updates");
    }
    assert_eq!(names.stream(), "shop1:product-events");
    assert_eq!(names.channel("product.updated"), None);
    assert_eq!(names.channel("shop1:product-cache-invalidation"), None);
}

#[test]
fn the_whole_payload_is_the_data_as_it_was_written() {
    let payload =
        r#"{ "productId": 90071992547409931, "price": 1.50, "timestamp": "2026-01-01T10:00:00+02:00" }"#;
    let data = r#"{"productId":90071992547409931,"price":1.50,"timestamp":"2026-01-01T10:00:00+02:00"}"#;
    let time = "2026-01-01T10:00:00+02:00";
    assert_eq!(
        events("pricing.price_changed", payload),
        [("90071992547409931".into(), "price_update", data.into(), time.into())]
    );
}

#[test]
fn each_name_has_its_type() {
    for (name, event_type) in [
        ("inventory.stock_changed", "inventory_update"),
        ("inventory.stock_updated", "inventory_update"),
        ("pricing.price_changed", "price_update"),
        ("pricing.price_updated", "price_update"),
        ("product.updated", "product_update"),
        ("product.created", "product_update"),
        ("product.deleted", "product_update"),
        ("product.category_changed", "product_update"),
        ("product.image_added", "product_update"),
        ("product.image_updated", "product_update"),
        ("product.image_removed", "product_update"),
    ] {
        assert_eq!(
            events(name, r#"{"id":"p"}"#),
            [("p".into(), event_type, r#"{"id":"p"}"#.into(), now().to_string())]
        );
    }
}

#[test]
fn the_id_has_three_names() {
    let id = |payload: &str| events("product.updated", payload).remove(0).0;
    assert_eq!(id(r#"{"id":3,"product_id":2,"productId":1}"#), "1");
    assert_eq!(id(r#"{"id":3,"product_id":2,"productId":null}"#), "2");
    assert_eq!(id(r#"{"id":"3"}"#), "3");
    assert_eq!(id(r#"{"\u0069d":"3"}"#), "3");
}

#[test]
fn a_time_that_is_none_is_replaced() {
    for time in [r#""yesterday""#, "1767225600", "null", r#"{"$date":1}"#] {
        let payload = format!(r#"{{"id":"p","timestamp":{time}}}"#);
        assert_eq!(events("product.updated", &payload).remove(0).3, now().to_string());
    }
}

#[test]
fn a_category_speaks_for_its_products() {
    let payload = r#"{"id":"shoes","productIds":["a",7]}"#;
    let got = events("category.updated", payload);
    let ids: Vec<_> =
        got.iter().map(|(id, event_type, data, _)| (id.as_str(), *event_type, data.as_str())).collect();
    assert_eq!(ids, [("a", "product_update", payload), ("7", "product_update", payload)]);
    let list = "productIds: a list of 1 to 500 product ids";
    for payload in
        [r#"{"id":"shoes"}"#, r#"{"productIds":[]}"#, r#"{"productIds":"a"}"#, r#"{"productIds":null}"#]
    {
        assert_eq!(reason("category.created", payload), format!("invalid_event: {list}"));
    }
    let many = json!({ "productIds": vec![1; 501] }).to_string();
    assert_eq!(reason("category.created", many), format!("invalid_event: {list}"));
    assert!(
        reason("category.updated", r#"{"productIds":["a",{}]}"#)
            .starts_with("invalid_event: productIds[1]: ")
    );
}

#[test]
fn product_updates_are_read_as_notify_reads_them() {
    let one = r#"{"productId":"p","type":"sale_update","data":{"active":true},"eventId":"e1"}"#;
    let Parsed::Events(events) = parse(channel("product-updates"), one.as_bytes(), now()) else {
        panic!("no events");
    };
    assert_eq!(events[0].event.event_type, EventType::SaleUpdate);
    assert!(events[0].claim.is_some());
    let two = format!(r#"{{"events":[{one},{one}]}}"#);
    assert!(
        matches!(parse(channel("product-updates"), two.as_bytes(), now()), Parsed::Events(e) if e.len() == 2)
    );
    assert!(matches!(parse_entry(two.as_bytes(), now()), Parsed::Events(e) if e.len() == 2));
    let bad = r#"{"events":[{},{}]}"#;
    let first =
        "events[0].productId: a string of 1 to 128 characters of A-Z a-z 0-9 . _ : ~ -, or a whole number";
    assert_eq!(reason("product-updates", bad), format!("invalid_event: {first} (and 5 more)"));
}

#[test]
fn what_a_gateway_sent_is_not_taken_in_again() {
    let mirrored = |name: &str, payload: &str| {
        matches!(parse(channel(name), payload.as_bytes(), now()), Parsed::Mirrored)
    };
    for payload in [
        r#"{"via":"shelfcast","productId":"p","type":"price_update","data":{}}"#,
        r#" {"events":[],"v\u0069a":"shelfc\u0061st"}"#,
    ] {
        assert!(mirrored("product-updates", payload) && mirrored("product.updated", payload));
        assert!(matches!(parse_entry(payload.as_bytes(), now()), Parsed::Mirrored));
    }
    for payload in [
        r#"{"id":"p","via":"another"}"#,
        r#"{"id":"p","via":null}"#,
        r#"{"id":"p","data":{"via":"shelfcast"}}"#,
        r#"["shelfcast"]"#,
    ] {
        assert!(!mirrored("product.updated", payload), "{payload}");
    }
}

#[test]
fn why_a_message_cannot_be_read_is_one_short_line() {
    let large = vec![b' '; 256 * 1024 + 1];
    let deep = format!(r#"{{"id":1,"x":{}{}}}"#, "[".repeat(64), "]".repeat(64));
    let long = json!({ "id": 1, "x": "x".repeat(16 * 1024) }).to_string();
    let told = [
        reason("product.updated", large),
        reason("product.updated", b"\xff"),
        reason("product.updated", ""),
        reason("product.updated", "[]"),
        reason("product.updated", r#"{"id":1,"id":2}"#),
        reason("product.updated", r#"{"id":1.5}"#),
        reason("product.updated", deep),
        reason("product.updated", long),
        reason("product-updates", "nonsense"),
    ];
    let id = "a string of 1 to 128 characters of A-Z a-z 0-9 . _ : ~ -, or a whole number";
    let expected = [
        "body_too_large: at most 262144 bytes",
        "malformed_json: the body is not UTF-8 (line 1, column 1)",
        "malformed_json: EOF while parsing a value (line 1, column 1)",
        "invalid_event: an object in which no name comes twice",
        "invalid_event: an object in which no name comes twice",
        &format!("invalid_event: productId: {id}"),
        "invalid_event: at most 64 levels of nesting",
        "invalid_event: at most 16384 bytes of JSON",
        "malformed_json: expected ident (line 1, column 2)",
    ];
    assert_eq!(told.each_ref().map(String::as_str), expected);
}

#[test]
fn an_entry_has_one_field_event() {
    let fields = |names: &[&str]| event_field(names.iter().zip(0..)).ok();
    assert_eq!(fields(&["event"]), Some(0));
    assert_eq!(fields(&["trace", "event"]), Some(1));
    assert_eq!(fields(&["Event"]), None);
    assert_eq!(fields(&["event", "event"]), None);
    assert_eq!(fields(&[]), None);
}

#[test]
fn a_digest_parts_channel_and_payload() {
    assert_eq!(MessageDigest::of("a", b"b"), MessageDigest::of("a", b"b"));
    let others = [("ab", ""), ("", "ab"), ("a", "b "), ("b", "a")];
    for (name, payload) in others {
        assert_ne!(MessageDigest::of("a", b"b"), MessageDigest::of(name, payload.as_bytes()));
    }
    // All gateways must agree, also those of another version.
    assert_eq!(MessageDigest::of("product.updated", b"{}").to_string(), "349365c9e911f422fb93b0890df345e7");
}

#[test]
fn a_dead_letter_holds_the_beginning() {
    let reason = event_field::<&str, ()>([]).unwrap_err();
    let source = Source::Entry { stream: "product-events", id: "1-0" };
    let expected = concat!(
        r#"{"stream":"product-events","id":"1-0","reason":"the entry has not one field `event`","#,
        r#""time":"2026-01-01T00:00:00.000000Z","bytes":4,"payload":"a\"\n\ufffd"}"#
    );
    let record: Value = serde_json::from_str(&dead_letter(source, &reason, now(), b"a\"\n\xff")).unwrap();
    assert_eq!(record, serde_json::from_str::<Value>(expected).unwrap());
    let payload = format!("ab{}", "€".repeat(2_000));
    let source = Source::Channel { channel: "product-updates" };
    let record: Value =
        serde_json::from_str(&dead_letter(source, &reason, now(), payload.as_bytes())).unwrap();
    assert_eq!(record["payload"], json!(payload[..4_094]));
    assert_eq!((&record["channel"], &record["bytes"]), (&json!("product-updates"), &json!(6_002)));
}

/// JSON a publisher might send, and JSON it might not.
fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        Just(Value::from(SECRET)),
        Just(Value::from("shelfcast")),
        Just(Value::from("price_update")),
        ".{0,6}".prop_map(Value::from),
    ];
    let name = prop_oneof![
        8 => prop::sample::select(vec![
            "productId", "product_id", "id", "productIds", "timestamp", "via", "events", "type", "data", "eventId",
        ])
        .prop_map(str::to_owned),
        1 => Just(SECRET.to_owned()),
        1 => ".{0,6}",
    ];
    leaf.prop_recursive(4, 40, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// Cuts a stretch out, puts one in or writes over a byte.
fn mutate(mut bytes: Vec<u8>, changes: &[(usize, u8, usize)]) -> Vec<u8> {
    for (at, byte, kind) in changes {
        let at = at % (bytes.len() + 1);
        match kind {
            0 if at < bytes.len() => bytes[at] = *byte,
            1 => bytes.insert(at, *byte),
            2 => drop(bytes.drain(at..bytes.len().min(at + usize::from(*byte)))),
            _ => bytes.extend_from_within(at..),
        }
    }
    bytes
}

fn payloads() -> impl Strategy<Value = Vec<u8>> {
    let event = json!({"productId": 7, "type": "price_update", "data": {"note": SECRET}, "eventId": SECRET});
    let bus = json!({"id": "p", "productIds": ["a", 2], "note": SECRET, "timestamp": "2026-01-01T00:00:00Z"});
    let valid = prop::sample::select(vec![event.clone(), json!({ "events": [event, event] }), bus]);
    let json = prop_oneof![valid, values()].prop_map(|value| value.to_string().into_bytes());
    let changes = prop::collection::vec((any::<usize>(), any::<u8>(), 0..4_usize), 0..4);
    let mutated = (json, changes).prop_map(|(bytes, changes)| mutate(bytes, &changes));
    prop_oneof![4 => mutated, 1 => prop::collection::vec(any::<u8>(), 0..200)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    /// Any bytes on any channel: events with a reason to be, or one short line that tells nothing.
    #[test]
    fn no_bytes_make_it_panic_or_tell(index in 0..14_usize, payload in payloads()) {
        let channel = Channel::all().nth(index).unwrap();
        for parsed in [parse(channel, &payload, now()), parse_entry(&payload, now())] {
            match parsed {
                Parsed::Events(events) => {
                    prop_assert!((1..=500).contains(&events.len()));
                    for new in events {
                        let event = new.event;
                        prop_assert!(serde_json::from_str::<serde_json::Map<_, _>>(event.data.as_str()).is_ok());
                        prop_assert!(LogTime::parse(event.timestamp.as_str()).is_some());
                    }
                }
                Parsed::Mirrored => prop_assert_eq!(payload.trim_ascii_start().first(), Some(&b'{')),
                Parsed::Unreadable(reason) => {
                    let source = Source::Channel { channel: channel.name() };
                    let letter = dead_letter(source, &reason, now(), &payload);
                    prop_assert!(serde_json::from_str::<Value>(&letter).is_ok());
                    let line = reason.to_string();
                    prop_assert!(line.len() < 200 && !line.contains(SECRET) && !line.contains('\n'), "{}", line);
                }
            }
        }
    }
}
