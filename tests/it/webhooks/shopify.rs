//! `/api/webhooks/shopify`: as a store's app calls it.

use serde_json::json;
use shelfcast::ingest::webhooks::Secrets;

use super::{appended, deliver, figure, outcome, told};
use crate::support::{Answer, RedisServer, TestApp};

const SECRET: &str = "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";
const TEE: &str = "788032119674292922";

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../fixtures/webhooks/shopify/", $name))
    };
}

async fn app() -> TestApp {
    TestApp::with(&[("SHOPIFY_WEBHOOK_SECRET", SECRET)]).await
}

async fn send_as(app: &TestApp, prefix: &str, topic: &str, event_id: &str, body: &str) -> Answer {
    let signature = Secrets::new([SECRET]).sign(&[body.as_bytes()]).unwrap().to_base64();
    let lines = [
        ("shopify-hmac-sha256", signature.as_str()),
        ("shopify-topic", topic),
        ("shopify-shop-domain", "acme.myshopify.example"),
        ("shopify-api-version", "2026-10"),
        ("shopify-webhook-id", "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043"),
        ("shopify-event-id", event_id),
    ];
    let lines = lines.map(|(name, value)| (format!("{prefix}{name}"), value));
    let lines: Vec<_> = lines.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    deliver(app, "/api/webhooks/shopify", &lines, body.to_owned()).await
}

async fn accepted(app: &TestApp, topic: &str, event_id: &str, body: &str) {
    let answer = send_as(app, "x-", topic, event_id, body).await;
    assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({"ok": true})), "{topic}");
}

/// Goal: ids beyond what a float holds arrive digit for digit, under both families of headers.
#[tokio::test(start_paused = true)]
async fn a_product_is_told_with_its_id_as_a_string() {
    let app = app().await;
    let mut stream = app.stream(&format!("products={TEE}")).await;
    accepted(&app, "products/update", "e1", fixture!("product-updated.json")).await;
    let answer = send_as(&app, "", "products/delete", "e2", fixture!("product-deleted.json")).await;
    assert_eq!(answer.status, 200);
    let tee = json!({"productId": TEE, "name": "Example T-Shirt", "price": 19.99, "stock": 123, "action": "updated",
        "timestamp": "2025-12-31T20:04:05.000000Z"});
    let told = told(&mut stream).await;
    assert_eq!(told[0].1, tee);
    assert_eq!((&told[1].1["productId"], &told[1].1["action"]), (&json!(TEE), &json!("deleted")));
}

#[tokio::test(start_paused = true)]
async fn of_a_draft_nothing_is_told_but_that_the_product_is_gone() {
    let app = app().await;
    let mut stream = app.stream("products=788032119674292930").await;
    accepted(&app, "products/update", "e1", fixture!("product-draft.json")).await;
    let (_, data) = told(&mut stream).await.remove(0);
    assert_eq!((&data["action"], data.as_object().unwrap().len()), (&json!("deleted"), 3), "{data}");
}

#[tokio::test(start_paused = true)]
async fn a_hundred_tries_of_a_delivery_are_one_event() {
    let app = app().await;
    for _ in 0..100 {
        accepted(&app, "products/update", "e1", fixture!("product-updated.json")).await;
    }
    assert_eq!((appended(&app).await, outcome(&app, "shopify", "duplicate").await), (1, 99));
    accepted(&app, "products/update", "e2", fixture!("product-updated.json")).await;
    assert_eq!((appended(&app).await, outcome(&app, "shopify", "unchanged").await), (1, 1), "told of twice");
}

/// Acceptance 6. Goal: what is tried again for hours as it was does not take the place of what came since.
#[tokio::test(start_paused = true)]
async fn a_retried_old_payload_after_a_newer_one_is_no_regression() {
    let app = app().await;
    let mut stream = app.stream(&format!("products={TEE}")).await;
    accepted(&app, "products/update", "e2", fixture!("product-updated.json")).await;
    accepted(&app, "products/update", "e1", fixture!("product-older.json")).await;
    let dearer = fixture!("product-updated.json").replace("15:04:05", "15:05:05").replace("19.99", "20.99");
    accepted(&app, "products/update", "e3", &dearer).await;
    let told = told(&mut stream).await;
    let kinds: Vec<_> = told.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["product_update", "sale_update", "price_update"], "{told:?}");
    assert_eq!((&told[2].1["oldPrice"], &told[2].1["newPrice"]), (&json!(19.99), &json!(20.99)));
}

/// Acceptance 6. Goal: a level of an item that nobody has told of is counted, told to nobody, and found once its product came
/// by.
#[tokio::test(start_paused = true)]
async fn an_inventory_level_of_an_unknown_item_is_mapped_once_its_product_came_by_and_never_guessed() {
    let app = app().await;
    let mut stream = app.stream(&format!("products={TEE}")).await;
    accepted(&app, "inventory_levels/update", "e1", fixture!("inventory-level-updated.json")).await;
    accepted(&app, "inventory_levels/update", "e2", fixture!("inventory-level-unknown.json")).await;
    let unknown = r#"shelfcast_webhook_parts_unknown_total{platform="shopify"}"#;
    assert_eq!((figure(&app, unknown).await, appended(&app).await), (2, 0));

    accepted(&app, "products/update", "e3", fixture!("product-updated.json")).await;
    accepted(&app, "inventory_levels/update", "e4", fixture!("inventory-level-updated.json")).await;
    let hint = json!({"productId": TEE, "timestamp": "2025-12-31T20:10:00.000000Z"});
    assert_eq!(told(&mut stream).await[1], ("inventory_update".to_owned(), hint));
    assert_eq!(figure(&app, unknown).await, 2);
}

/// Goal: the pod that hears of the item need not be the one that heard of its product.
#[tokio::test]
async fn pods_learn_items_for_each_other() {
    let server = RedisServer::start();
    let secret = [("SHOPIFY_WEBHOOK_SECRET", SECRET)];
    let (one, other) = (TestApp::pod_with(&server, &secret).await, TestApp::pod_with(&server, &secret).await);
    accepted(&one, "products/update", "e1", fixture!("product-updated.json")).await;
    accepted(&other, "inventory_levels/update", "e2", fixture!("inventory-level-updated.json")).await;
    assert_eq!((outcome(&other, "shopify", "accepted").await, appended(&other).await), (1, 1));
    accepted(&one, "inventory_levels/update", "e2", fixture!("inventory-level-updated.json")).await;
    assert_eq!(outcome(&one, "shopify", "duplicate").await, 1, "claims are shared too");
}

#[tokio::test(start_paused = true)]
async fn topics_of_no_concern_to_shoppers_are_thanked_for() {
    let app = app().await;
    for (topic, body) in [
        ("app/uninstalled", fixture!("app-uninstalled.json")),
        ("customers/redact", fixture!("customers-redact.json")),
        ("customers/data_request", "{}"),
        ("shop/redact", "{}"),
        ("orders/edited", r#"{"order_edit":{}}"#),
    ] {
        accepted(&app, topic, "e1", body).await;
    }
    accepted(&app, "orders/create", "e1", fixture!("order-created.json")).await;
    assert_eq!((outcome(&app, "shopify", "ignored").await, appended(&app).await), (5, 2));
    let forged = deliver(
        &app,
        "/api/webhooks/shopify",
        &[("x-shopify-hmac-sha256", "AAAA"), ("x-shopify-topic", "customers/redact")],
        "{}",
    );
    assert_eq!(forged.await.status, 401);
}
