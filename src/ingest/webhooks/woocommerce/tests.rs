//! What is read of WooCommerce's payloads, and what of them is not.

use super::*;
use crate::model::{Availability, Decimal, EventType, ObservedProduct, ProductId, Sale, Visibility};

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("../../../../tests/fixtures/webhooks/woocommerce/", $name)).as_slice()
    };
}

fn now() -> LogTime {
    LogTime::parse("2026-01-01T00:00:00Z").unwrap()
}

fn read(topic: &str, body: &[u8]) -> Result<Intake, Problem> {
    let headers = HeaderMap::from_iter([(TOPIC.parse().unwrap(), topic.parse().unwrap())]);
    let shop = WooCommerce(Secrets::default());
    shop.read(Delivery { headers: &headers, body }, now())
}

fn observed(body: &[u8]) -> ObservedProduct {
    let intake = read("product.updated", body).unwrap();
    assert!(intake.events.is_empty() && intake.parts.is_empty());
    shown(&intake)
}

fn shown(intake: &Intake) -> ObservedProduct {
    let [Sighting::Shown(product)] = &intake.sightings[..] else { panic!("no product: {intake:?}") };
    (**product).clone()
}

fn decimal(text: &str) -> Option<Decimal> {
    Decimal::parse(text).ok()
}

fn id(text: &str) -> ProductId {
    ProductId::new(text).unwrap()
}

#[test]
fn the_vector_verifies_and_nothing_near_it() {
    let shop = WooCommerce(Secrets::new([WooCommerce::key("woo-test-secret")]));
    let body = r#"{"id":794,"name":"Premium Quality","type":"simple","status":"publish","price":"21.99","stock_quantity":7,"stock_status":"instock"}"#;
    let good = "Z0Ww5eNTI7o9OYPEPkdingyA0aJH2XZXkhPS+M+YOnE=";
    let verify = |signature: &str, body: &str| {
        let headers = HeaderMap::from_iter([(SIGNATURE.parse().unwrap(), signature.parse().unwrap())]);
        assert!(shop.is_signed(&headers));
        shop.verify(Delivery { headers: &headers, body: body.as_bytes() }, now())
    };
    assert!(verify(good, body));
    let hex = Signature::from_base64(good).unwrap().to_hex();
    for bad in [&hex, &format!("sha256={good}"), "", good.trim_end_matches('='), &good.to_lowercase()] {
        assert!(!verify(bad, body), "{bad}");
    }
    // The same JSON, written again by somebody else.
    for body in [
        body.replace(':', ": "),
        body.replace("21.99", "21.990"),
        format!("{body}\n"),
        body.replace('/', "\\/"),
    ]
    .iter()
    .filter(|other| *other != body)
    {
        assert!(!verify(good, body), "{body}");
    }
}

#[test]
fn a_product_is_read_with_what_shoppers_see_of_it() {
    let shirt = observed(fixture!("product-updated.json"));
    assert_eq!((shirt.product_id.as_str(), &shirt.variation_id), ("794", &None));
    assert_eq!(shirt.updated_at, LogTime::parse("2025-12-31T14:20:07Z"));
    assert_eq!((shirt.status, shirt.name.as_deref()), (Visibility::Public, Some("Linen Shirt")));
    assert_eq!((shirt.price, shirt.regular_price, shirt.sale), (decimal("21.99"), decimal("21.99"), None));
    assert_eq!((shirt.stock.quantity, shirt.stock.availability), (decimal("7"), Availability::InStock));
}

#[test]
fn an_absent_or_null_field_is_absent_and_stops_nothing() {
    let card = observed(fixture!("product-nulls.json"));
    assert_eq!((card.price, card.regular_price, card.updated_at), (None, None, None));
    assert_eq!((card.stock.quantity, card.stock.availability), (None, Availability::InStock));
    let bare = observed(br#"{"id":7}"#);
    assert_eq!((bare.name, bare.stock.availability), (None, Availability::Unknown));
    assert_eq!(bare.status, Visibility::Hidden, "who does not say that it is public may be a draft");
    let odd = observed(
        br#"{"id":7,"name":["x"],"price":{},"stock_quantity":"many","status":5,"variations":{"a":1}}"#,
    );
    assert_eq!((odd.name, odd.price, odd.stock.quantity), (None, None, None));
}

#[test]
fn a_draft_and_what_a_password_protects_are_hidden() {
    assert_eq!(observed(fixture!("product-draft.json")).status, Visibility::Hidden);
    let protected = std::str::from_utf8(fixture!("product-updated.json")).unwrap();
    let protected = protected.replace(r#""post_password":"""#, r#""post_password":"x""#);
    assert_eq!(observed(protected.as_bytes()).status, Visibility::Hidden);
}

#[test]
fn names_come_out_as_they_were_meant() {
    let coat = observed(fixture!("product-unicode.json"));
    assert_eq!(coat.name.as_deref(), Some("Überzieher „Käthe“ – 夏 👗 \"M\\L\""));
    let long = format!(r#"{{"id":1,"name":"{}"}}"#, "é".repeat(10_000));
    assert_eq!(observed(long.as_bytes()).name.unwrap().chars().count(), 512);
}

#[test]
fn a_sale_is_on_when_the_shop_says_so_and_planned_when_it_begins_later() {
    let time = LogTime::parse;
    let on = observed(fixture!("product-on-sale.json")).sale.unwrap();
    let expected = Sale {
        active: true,
        starts_at: time("2025-12-26T23:00:00Z"),
        ends_at: time("2026-01-06T23:59:59Z"),
        discount: decimal("30"),
    };
    assert_eq!(on, expected);
    let planned = observed(fixture!("product-sale-planned.json")).sale.unwrap();
    assert_eq!((planned.active, planned.starts_at), (false, time("2026-01-31T23:00:00Z")));
    assert_eq!(observed(fixture!("product-sale-over.json")).sale, None, "its sale price is still there");
}

#[test]
fn what_shoppers_do_not_see_changes_nothing() {
    let shirt = std::str::from_utf8(fixture!("product-updated.json")).unwrap();
    let before = observed(shirt.as_bytes());
    for (from, to, seen) in [
        (r#""value":"9.80""#, r#""value":"9.90""#, false),
        ("Internal: reorder", "Reorder", false),
        (r#""total_sales":128"#, r#""total_sales":129"#, false),
        ("[802,811,799]", "[799,802,811]", false),
        ("washed twice", "washed once", true),
        ("linen-shirt.jpg", "linen-shirt-2.jpg", true),
        (r#""rating_count":9"#, r#""rating_count":10"#, true),
        ("30 degrees", "40 degrees", true),
    ] {
        let after = observed(shirt.replace(from, to).as_bytes());
        assert_eq!(after.content != before.content, seen, "{from}");
        assert_eq!(after.variants, before.variants);
    }
    let dearer = observed(shirt.replace("21.99", "22.99").as_bytes());
    assert_eq!(dearer.content, before.content);
    assert_ne!(dearer.variants, before.variants);
    assert_eq!(dearer.price, decimal("22.99"));
}

#[test]
fn a_variation_is_its_parents_and_both_payloads_teach_it() {
    let intake = read("product.updated", fixture!("variation-updated.json")).unwrap();
    let variation = shown(&intake);
    assert_eq!((&variation.product_id, &variation.variation_id), (&id("810"), &Some(id("814"))));
    assert_eq!(intake.learned, [(PartId::new("woocommerce", id("814")), id("810"))]);
    let parent = read("product.updated", fixture!("product-variable.json")).unwrap();
    let taught: Vec<_> = parent.learned.iter().map(|(part, product)| format!("{part} {product}")).collect();
    assert_eq!(taught, ["woocommerce:815 810", "woocommerce:814 810", "woocommerce:813 810"]);
    assert_eq!(shown(&parent).variation_id, None);
}

/// Goal: hooks are known by the signed body, whatever the header says.
#[test]
fn an_action_is_a_hint_about_its_product_or_about_the_parent_of_its_variation() {
    let read = |body: &[u8]| read("product.updated", body).unwrap();
    let deleted = &read(fixture!("action-delete-product.json")).parts[0];
    assert_eq!(deleted.of(None).unwrap().what, What::Gone);
    let of_parent = deleted.of(Some(id("810"))).unwrap();
    assert_eq!((of_parent.what, of_parent.variation_id), (What::Gone, Some(id("794"))));

    let variation = &read(fixture!("action-delete-variation.json")).parts[0];
    assert_eq!(variation.of(None), None, "a variation of which nobody told is nobody's");
    assert_eq!(variation.of(Some(id("810"))).unwrap().what, What::Gone);

    let stock = &read(fixture!("action-updated-stock.json")).parts[0];
    assert_eq!((stock.of(None).unwrap().product_id, stock.what), (id("814"), What::Stock));

    let sales = read(fixture!("action-starting-sales.json")).parts;
    assert_eq!((sales.len(), sales[1].of(None).unwrap().product_id.as_str()), (2, "814"));
    assert_eq!(sales[0].what, What::Sale { active: true });
    assert!(read(br#"{"action":"woocommerce_thankyou","arg":7}"#).is_empty());
    assert!(read(br#"{"action":"wc_after_products_ending_sales","arg":[]}"#).is_empty());
}

#[test]
fn an_order_is_one_hint_for_each_of_its_products_and_tells_nothing_of_its_buyer() {
    let intake = read("order.created", fixture!("order-created.json")).unwrap();
    let told: Vec<_> =
        intake.events.iter().map(|new| (new.event.event_type, new.event.data.as_str())).collect();
    let hint = |id| format!(r#"{{"productId":"{id}","timestamp":"2025-12-31T15:00:02.000000Z"}}"#);
    let (shirt, socks) = (hint("794"), hint("810"));
    assert_eq!(
        told,
        [(EventType::InventoryUpdate, shirt.as_str()), (EventType::InventoryUpdate, socks.as_str())]
    );
    assert!(read("order.deleted", br#"{"id":2201}"#).unwrap().is_empty());
}

#[test]
fn what_has_no_id_is_refused() {
    for (topic, body) in [
        ("product.updated", fixture!("product-forbidden.json")),
        ("product.created", b"{}"),
        ("product.restored", br#"{"id":"794"}"#),
        ("product.deleted", br#"{"id":0}"#),
        ("product.deleted", br#"{"id":7.0}"#),
        ("order.updated", br#"{"id":null}"#),
        ("action.woocommerce_delete_product", br#"{"action":"woocommerce_delete_product","arg":{}}"#),
    ] {
        let refused = read(topic, body).unwrap_err().to_string();
        assert!(refused.starts_with("invalid_event: id"), "{refused}");
    }
    assert!(read("product.updated", b"<br />Notice: {\"id\":1}").is_err());
    for topic in ["coupon.created", "customer.updated", "nonsense", ""] {
        assert!(read(topic, br#"{"id":7}"#).unwrap().is_empty(), "{topic}");
    }
}
