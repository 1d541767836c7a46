//! What must hold of every platform, whatever is sent.

use axum::http::HeaderMap;
use proptest::{prelude::*, sample::Index};

use super::{Delivery, Meta, Platform, Secrets, Shopify, Standard, WebhooksConfig, WooCommerce};
use crate::model::LogTime;

macro_rules! fixtures {
    ($($name:literal),+) => {
        [$(include_bytes!(concat!("../../../tests/fixtures/webhooks/", $name)).as_slice()),+]
    };
}

const BODIES: [&[u8]; 8] = fixtures![
    "woocommerce/product-on-sale.json",
    "woocommerce/variation-updated.json",
    "woocommerce/action-starting-sales.json",
    "woocommerce/order-created.json",
    "shopify/product-updated.json",
    "shopify/inventory-level-updated.json",
    "shopify/order-created.json",
    "meta/order-and-text.json"
];

const TOPICS: [&str; 8] = [
    "product.updated",
    "product.restored",
    "order.created",
    "action.woocommerce_delete_product",
    "products/update",
    "inventory_levels/update",
    "orders/create",
    "nonsense",
];

const TOKENS: [&[u8]; 8] =
    [b"null", b"[[", b"{}", b"-1e999", b"\"\\ud800\"", b"\xff", b"18446744073709551616", b"\""];

fn platforms() -> [Box<dyn Platform>; 4] {
    let secrets = || Secrets::new(["a secret"]);
    let config = WebhooksConfig {
        woocommerce: secrets(),
        shopify: secrets(),
        meta: secrets(),
        meta_verify_tokens: None,
        standard: secrets(),
    };
    [
        Box::new(WooCommerce::new(&config)),
        Box::new(Shopify::new(&config)),
        Box::new(Meta::new(&config)),
        Box::new(Standard::new(&config)),
    ]
}

/// A fixture with some of its bytes replaced by words that parsers trip over.
fn spoilt() -> impl Strategy<Value = Vec<u8>> {
    let edits = prop::collection::vec((any::<Index>(), 0_usize..40, prop::sample::select(&TOKENS[..])), 0..5);
    (prop::sample::select(&BODIES[..]), edits).prop_map(|(body, edits)| {
        let mut body = body.to_vec();
        for (at, len, token) in edits {
            let at = at.index(body.len());
            let end = (at + len).min(body.len());
            body.splice(at..end, token.iter().copied());
        }
        body
    })
}

fn headers(topic: &str, id: &str) -> HeaderMap {
    let lines = [("x-wc-webhook-topic", topic), ("x-shopify-topic", topic), ("x-shopify-webhook-id", id)];
    let lines = lines.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
    HeaderMap::from_iter(lines)
}

#[test]
fn what_a_platform_signs_it_verifies_and_no_other_does() {
    let now = LogTime::from_micros(1_767_225_600_000_000);
    for signer in platforms() {
        let mut headers = HeaderMap::new();
        for (name, value) in signer.sign(b"{}", "msg_1", now) {
            headers.insert(name, value.parse().unwrap());
        }
        for platform in platforms() {
            let own = platform.name() == signer.name();
            assert_eq!(platform.is_signed(&headers), own);
            assert_eq!(platform.verify(Delivery { headers: &headers, body: b"{}" }, now), own);
            assert!(!platform.verify(Delivery { headers: &headers, body: b"{ }" }, now));
        }
    }
}

proptest! {
    #[test]
    fn no_body_makes_a_platform_panic(
        body in prop_oneof![spoilt(), prop::collection::vec(any::<u8>(), 0..200)],
        topic in prop::sample::select(&TOPICS[..]),
        id in "[ -~]{1,40}",
    ) {
        let (headers, now) = (headers(topic, id.trim()), LogTime::from_micros(0));
        for platform in platforms() {
            let delivery = Delivery { headers: &headers, body: &body };
            prop_assert!(!platform.verify(delivery, now), "nobody signed it");
            let _ = platform.answer_unsigned(&body);
            if let Ok(intake) = platform.read(delivery, now) {
                let ids = intake.events.iter().map(|new| new.event.product_id.as_str());
                prop_assert!(ids.chain(intake.learned.iter().map(|(_, id)| id.as_str())).all(|id| !id.is_empty()));
            }
        }
    }
}
