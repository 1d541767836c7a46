//! What is read of Shopify's payloads, and what of them is not.

use super::*;
use crate::model::{Availability, Decimal, EventType, ObservedProduct, ProductId, Sale, Visibility};

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("../../../../tests/fixtures/webhooks/shopify/", $name)).as_slice()
    };
}

fn now() -> LogTime {
    LogTime::parse("2026-01-01T00:00:00Z").unwrap()
}

fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.insert(*name, value.parse().unwrap());
    }
    headers
}

fn read(topic: &str, body: &[u8]) -> Result<Intake, Problem> {
    let headers = headers(&[(TOPIC[0], topic), (WEBHOOK_ID[0], "b54557e4")]);
    Shopify(Secrets::default()).read(Delivery { headers: &headers, body }, now())
}

fn observed(body: &[u8]) -> ObservedProduct {
    shown(&read("products/update", body).unwrap())
}

fn shown(intake: &Intake) -> ObservedProduct {
    let [Sighting::Shown(product)] = &intake.sightings[..] else { panic!("no product: {intake:?}") };
    (**product).clone()
}

fn decimal(text: &str) -> Option<Decimal> {
    Decimal::parse(text).ok()
}

#[test]
fn the_vector_verifies_under_both_names_of_the_header_and_nothing_near_it() {
    let store = Shopify(Secrets::new(["shpss_test"]));
    let body = r#"{"id":788032119674292922,"title":"Example T-Shirt","updated_at":"2026-01-02T03:04:05-05:00","variants":[{"id":642667041472713922,"inventory_item_id":49148385}]}"#;
    let good = "EY4ejzVRjqAnqo3/1FBRmAqu6jMqQElKzckJXB2S6F8=";
    let verify = |name: &'static str, signature: &str, body: &str| {
        let headers = headers(&[(name, signature)]);
        assert!(store.is_signed(&headers));
        store.verify(Delivery { headers: &headers, body: body.as_bytes() }, now())
    };
    for name in HMAC {
        assert!(verify(name, good, body));
        let hex = Signature::from_base64(good).unwrap().to_hex();
        for bad in [&hex, "", &good[1..], &good.replace('/', "_"), &format!("{good},{good}")] {
            assert!(!verify(name, bad, body), "{bad}");
        }
        // Numbers of this size come out of a float as others.
        for body in [body.replace("788032119674292922", "788032119674292900"), body.replace(',', ", ")] {
            assert!(!verify(name, good, &body), "{body}");
        }
    }
    let events = headers(&[("shopify-topic", "products/update"), ("shopify-event-id", "98880550")]);
    let intake = store.read(Delivery { headers: &events, body: body.as_bytes() }, now()).unwrap();
    assert_eq!(shown(&intake).product_id.as_str(), "788032119674292922");
    assert_eq!(shown(&intake).updated_at, LogTime::parse("2026-01-02T08:04:05Z"));
}

#[test]
fn a_product_is_read_as_its_cheapest_variant_and_the_stock_of_all() {
    let intake = read("products/update", fixture!("product-updated.json")).unwrap();
    let tee = shown(&intake);
    assert_eq!((tee.name.as_deref(), tee.status), (Some("Example T-Shirt"), Visibility::Public));
    assert_eq!((tee.price.clone(), tee.regular_price.clone()), (decimal("19.99"), decimal("24.99")));
    assert_eq!((tee.stock.quantity.clone(), tee.stock.availability), (decimal("123"), Availability::InStock));
    let sale = Sale { active: true, starts_at: None, ends_at: None, discount: decimal("20") };
    assert_eq!(tee.sale, Some(sale));
    let known: Vec<_> = intake.learned.iter().map(|(part, product)| format!("{part} {product}")).collect();
    assert_eq!(known.len(), 3);
    assert_eq!(known[0], "shopify:49000000072713922 788032119674292922");
}

#[test]
fn a_draft_is_hidden_and_so_is_what_does_not_say() {
    assert_eq!(observed(fixture!("product-draft.json")).status, Visibility::Hidden);
    let status = |fields: &str| observed(format!(r#"{{"id":1{fields}}}"#).as_bytes()).status;
    assert_eq!(status(""), Visibility::Hidden);
    assert_eq!(status(r#","published_at":"2025-10-02T08:00:00-04:00""#), Visibility::Public);
    assert_eq!(status(r#","published_at":null"#), Visibility::Hidden);
    assert_eq!(
        status(r#","status":"archived","published_at":"2025-10-02T08:00:00-04:00""#),
        Visibility::Hidden
    );
    assert_eq!(status(r#","status":"unlisted""#), Visibility::Public);
}

#[test]
fn an_absent_or_null_field_is_absent_and_stops_nothing() {
    let bare = observed(fixture!("product-nulls.json"));
    assert_eq!((bare.name, bare.price, bare.updated_at, bare.sale), (None, None, None, None));
    assert_eq!(
        (bare.stock.quantity, bare.stock.availability),
        (None, Availability::InStock),
        "nobody counts it"
    );
    let odd =
        observed(br#"{"id":1,"variants":[null,1,{"price":["x"],"inventory_quantity":"4"}],"title":{}}"#);
    assert_eq!((odd.name, odd.price, odd.stock.quantity), (None, None, None));
    let left_out = observed(br#"{"id":1,"variants":[{"id":2}]}"#);
    assert_eq!(left_out.stock.availability, Availability::Unknown);
}

#[test]
fn what_is_left_of_all_variants_says_whether_it_can_be_bought() {
    let stock = |variants: &str| observed(format!(r#"{{"id":1,"variants":[{variants}]}}"#).as_bytes()).stock;
    let none = r#"{"inventory_quantity":0,"inventory_policy":"deny"}"#;
    let on = r#"{"inventory_quantity":-3,"inventory_policy":"continue"}"#;
    for (variants, quantity, availability) in [
        (none.to_owned(), "0", Availability::OutOfStock),
        (format!("{none},{on}"), "-3", Availability::OnBackorder),
        (format!(r#"{on},{{"inventory_quantity":4}}"#), "1", Availability::InStock),
        (
            format!(r#"{{"inventory_quantity":{0}}},{{"inventory_quantity":{0}}}"#, i64::MAX),
            "9223372036854775807",
            Availability::InStock,
        ),
    ] {
        let stock = stock(&variants);
        assert_eq!((stock.quantity, stock.availability), (decimal(quantity), availability), "{variants}");
    }
}

#[test]
fn one_variant_up_and_another_down_is_a_change() {
    let tee = std::str::from_utf8(fixture!("product-updated.json")).unwrap();
    let before = observed(tee.as_bytes());
    let moved = tee.replace(r#""inventory_quantity":75"#, r#""inventory_quantity":74"#);
    let after =
        observed(moved.replace(r#""inventory_quantity":50"#, r#""inventory_quantity":51"#).as_bytes());
    assert_eq!((&after.stock, after.content), (&before.stock, before.content));
    assert_ne!(after.variants, before.variants);
    let unseen = tee
        .replace("2025-12-30T10:00:00", "2025-12-30T11:00:00")
        .replace(r#""old_inventory_quantity":76"#, r#""old_inventory_quantity":7"#);
    assert_eq!(observed(unseen.as_bytes()), before);
    assert_ne!(observed(tee.replace("Acme", "Acne").as_bytes()).content, before.content);
}

#[test]
fn a_level_is_a_hint_without_a_figure() {
    let level = read("inventory_levels/update", fixture!("inventory-level-unknown.json")).unwrap();
    let hint = &level.parts[0];
    assert_eq!(hint.part, PartId::new("shopify", ProductId::new("271878346596884015").unwrap()));
    assert_eq!((hint.of(None), hint.at), (None, LogTime::parse("2020-09-03T12:44:10Z").unwrap()));
}

#[test]
fn an_order_is_one_hint_for_each_of_its_products_and_tells_nothing_of_its_buyer() {
    for topic in ["orders/create", "orders/updated", "orders/cancelled"] {
        let intake = read(topic, fixture!("order-created.json")).unwrap();
        let told: Vec<_> =
            intake.events.iter().map(|new| (new.event.event_type, new.event.data.as_str())).collect();
        let hint = |id| format!(r#"{{"productId":"{id}","timestamp":"2025-12-31T20:20:01.000000Z"}}"#);
        let (tee, other) = (hint("788032119674292922"), hint("788032119674292931"));
        assert_eq!(
            told,
            [(EventType::InventoryUpdate, tee.as_str()), (EventType::InventoryUpdate, other.as_str())]
        );
    }
}

#[test]
fn each_delivery_has_its_claim() {
    let claim = |lines: &[(&'static str, &str)], body: &[u8]| {
        let headers = headers(&[&[(TOPIC[0], "products/update"), (WEBHOOK_ID[0], "w1")], lines].concat());
        let intake = Shopify(Secrets::default()).read(Delivery { headers: &headers, body }, now());
        intake.unwrap().claim.unwrap().key
    };
    let first = claim(&[(EVENT_ID[0], "e1")], br#"{"id":1}"#);
    assert!(
        first == claim(&[(EVENT_ID[0], "e1"), (WEBHOOK_ID[0], "w2")], br#"{"id":1}"#),
        "two subscriptions"
    );
    for other in [
        claim(&[(EVENT_ID[0], "e1")], br#"{"id":2}"#),
        claim(&[(EVENT_ID[0], "e2")], br#"{"id":1}"#),
        claim(&[(EVENT_ID[0], "e1"), (SHOP[0], "other.myshopify.example")], br#"{"id":1}"#),
        claim(&[(EVENT_ID[0], "e1"), (TOPIC[0], "products/create")], br#"{"id":1}"#),
    ] {
        assert!(first != other);
    }
}

#[test]
fn only_what_can_never_be_read_is_refused() {
    for (topic, body) in [
        ("products/update", b"{}".as_slice()),
        ("products/create", br#"{"id":"gid"}"#),
        ("products/delete", br#"{"id":1.5}"#),
        ("inventory_levels/update", br#"{"inventory_item_id":null}"#),
        ("products/update", b"[]"),
    ] {
        assert!(read(topic, body).is_err(), "{topic}");
    }
    for topic in ["orders/edited", "orders/delete", "collections/update", "themes/publish", "PRODUCTS", "x"] {
        assert!(read(topic, br#"{"id":1}"#).unwrap().is_empty(), "{topic}");
    }
    for (topic, body) in [
        ("app/uninstalled", fixture!("app-uninstalled.json")),
        ("customers/redact", fixture!("customers-redact.json")),
    ] {
        let intake = read(topic, body).unwrap();
        assert!(intake.is_empty() && intake.notice.is_some(), "{topic}");
    }
    let store = Shopify(Secrets::default());
    for lines in [&[(TOPIC[0], "products/update")][..], &[(WEBHOOK_ID[0], "w1")]] {
        let headers = headers(lines);
        let refused = store.read(Delivery { headers: &headers, body: br#"{"id":1}"# }, now()).unwrap_err();
        assert!(refused.to_string().starts_with("bad_request: x-shopify"), "{refused}");
    }
}
