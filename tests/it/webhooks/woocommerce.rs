//! `/api/webhooks/woocommerce`: as a shop calls it.

use axum::{body::Body, http::Request};
use serde_json::{Value, json};
use shelfcast::ingest::webhooks::{Secrets, WooCommerce};

use super::{appended, deliver, figure, outcome, told};
use crate::support::{Answer, TestApp};

const SECRET: &str = "4fQmZ0xXr8VtB2nLk7Wd6yHs";
const PATH: &str = "/api/webhooks/woocommerce";

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../fixtures/webhooks/woocommerce/", $name))
    };
}

async fn app() -> TestApp {
    TestApp::with(&[("WC_WEBHOOK_SECRET", SECRET)]).await
}

fn signed(secret: &str, body: &str) -> String {
    Secrets::new([secret]).sign(&[body.as_bytes()]).unwrap().to_base64()
}

/// Sends a delivery as the shop does. Its id is made of the webhook's and the second.
async fn send(app: &TestApp, topic: &str, second: u32, body: &str) -> Answer {
    let (signature, delivery) = (signed(SECRET, body), format!("{:032x}", second));
    let headers = [
        ("user-agent", "WooCommerce/10.3.0 Hookshot (WordPress/6.8)"),
        ("x-wc-webhook-source", "https://shop.example/"),
        ("x-wc-webhook-topic", topic),
        ("x-wc-webhook-signature", &signature),
        ("x-wc-webhook-id", "5"),
        ("x-wc-webhook-delivery-id", &delivery),
    ];
    deliver(app, PATH, &headers, body.to_owned()).await
}

async fn accepted(app: &TestApp, topic: &str, second: u32, body: &str) {
    let answer = send(app, topic, second, body).await;
    assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({"ok": true})), "{topic}");
}

#[tokio::test(start_paused = true)]
async fn a_product_is_told_to_those_who_look_at_it_and_no_more_of_it_than_is_public() {
    let app = app().await;
    let mut stream = app.stream("products=794,802,803").await;
    accepted(&app, "product.updated", 1, fixture!("product-updated.json")).await;
    let shirt = json!({"productId": "794", "name": "Linen Shirt", "price": 21.99, "stock": 7, "action": "updated",
        "timestamp": "2025-12-31T14:20:07.000000Z"});
    assert_eq!(told(&mut stream).await, [("product_update".to_owned(), shirt)]);
    accepted(&app, "product.created", 2, fixture!("product-nulls.json")).await;
    let (_, data) = told(&mut stream).await.remove(0);
    assert_eq!((&data["name"], &data["action"]), (&json!("Gift card"), &json!("created")));
    assert!(data.get("price").is_none() && data.get("stock").is_none(), "{data}");
    accepted(&app, "product.restored", 3, fixture!("product-unicode.json")).await;
    let (_, data) = told(&mut stream).await.remove(0);
    assert_eq!(data["name"], "Überzieher „Käthe“ – 夏 👗 \"M\\L\"");
}

#[tokio::test(start_paused = true)]
async fn of_a_draft_nothing_is_told_but_that_the_product_is_gone() {
    let app = app().await;
    let mut stream = app.stream("products=801").await;
    accepted(&app, "product.updated", 1, fixture!("product-draft.json")).await;
    let (_, data) = told(&mut stream).await.remove(0);
    assert_eq!((data["action"].as_str(), data.as_object().unwrap().len()), (Some("deleted"), 3), "{data}");
}

/// Acceptance 1. Goal: the delivery id alone names nothing, neither does the body alone.
#[tokio::test(start_paused = true)]
async fn deliveries_of_one_second_are_told_apart_by_their_bodies() {
    let app = app().await;
    let shirt = fixture!("product-updated.json");
    let bodies: Vec<_> =
        (0..20).map(|n| shirt.replace(r#""id":794"#, &format!(r#""id":{}"#, 1_000 + n))).collect();
    for body in &bodies {
        accepted(&app, "product.updated", 7, body).await;
    }
    assert_eq!(appended(&app).await, 20);
    for body in &bodies {
        accepted(&app, "product.updated", 7, body).await;
    }
    assert_eq!((appended(&app).await, outcome(&app, "woocommerce", "duplicate").await), (20, 20));
}

#[tokio::test(start_paused = true)]
async fn a_product_that_is_deleted_restored_and_deleted_again_is_deleted_twice() {
    let app = app().await;
    let mut stream = app.stream("products=794").await;
    accepted(&app, "product.deleted", 1, fixture!("product-deleted.json")).await;
    accepted(&app, "product.restored", 2, fixture!("product-updated.json")).await;
    accepted(&app, "product.deleted", 3, fixture!("product-deleted.json")).await;
    let actions: Vec<_> =
        told(&mut stream).await.into_iter().map(|(_, data)| data["action"].clone()).collect();
    assert_eq!(actions, ["deleted", "created", "deleted"]);
}

#[tokio::test(start_paused = true)]
async fn a_hundred_replays_of_a_delivery_are_one_event() {
    let app = app().await;
    for _ in 0..100 {
        accepted(&app, "product.updated", 1, fixture!("product-updated.json")).await;
    }
    assert_eq!((appended(&app).await, outcome(&app, "woocommerce", "duplicate").await), (1, 99));
}

/// Acceptance 5. Goal: one save may send the same product twice, and a sale changes nothing but the stock.
#[tokio::test(start_paused = true)]
async fn a_stock_webhook_without_a_change_is_no_event_and_one_with_a_change_tells_the_stock_before() {
    let app = app().await;
    let mut stream = app.stream("products=794").await;
    let shirt = fixture!("product-updated.json");
    accepted(&app, "product.updated", 1, shirt).await;
    assert_eq!(told(&mut stream).await[0].0, "product_update");
    accepted(&app, "product.updated", 2, &shirt.replace(r#""total_sales":128"#, r#""total_sales":129"#))
        .await;
    assert_eq!((appended(&app).await, outcome(&app, "woocommerce", "unchanged").await), (1, 1));
    accepted(&app, "product.updated", 3, &shirt.replace(r#""stock_quantity":7"#, r#""stock_quantity":6"#))
        .await;
    let sold = json!({"productId": "794", "productName": "Linen Shirt", "currentStock": 6, "previousStock": 7,
        "timestamp": "2025-12-31T14:20:07.000000Z"});
    assert_eq!(told(&mut stream).await, [("inventory_update".to_owned(), sold)]);
}

/// Goal: a page that an order made fetch nine does not keep the nine. Method: the shop puts the shirt back before it delivers
/// the product, which then looks as it did.
#[tokio::test(start_paused = true)]
async fn a_product_that_looks_as_it_did_before_an_order_is_told_again() {
    let app = app().await;
    let mut stream = app.stream("products=794").await;
    accepted(&app, "product.updated", 1, fixture!("product-updated.json")).await;
    assert_eq!(told(&mut stream).await[0].0, "product_update");
    accepted(&app, "order.created", 2, fixture!("order-created.json")).await;
    assert_eq!(told(&mut stream).await[0].0, "inventory_update");
    accepted(&app, "product.updated", 3, fixture!("product-updated.json")).await;
    let (kind, data) = told(&mut stream).await.remove(0);
    assert_eq!((kind.as_str(), &data["stock"]), ("product_update", &json!(7)));
    accepted(&app, "product.updated", 4, fixture!("product-updated.json")).await;
    assert_eq!(outcome(&app, "woocommerce", "unchanged").await, 1);
}

/// Acceptance 2. Goal: the ping of a new webhook gets exactly 200, and only the ping comes in unsigned.
#[tokio::test(start_paused = true)]
async fn a_ping_is_answered_and_says_nothing() {
    let app = app().await;
    let ping = async |body: &str| {
        let request = Request::post(PATH).header("content-type", "application/x-www-form-urlencoded");
        app.send(request.body(Body::from(body.to_owned())).unwrap()).await
    };
    assert_eq!(ping("webhook_id=5").await.status, 200);
    for body in ["webhook_id=", "webhook_id=5&x=1", "webhook_id=5\n", "webhook_id=x", "id=5", "{}", ""] {
        assert_eq!(ping(body).await.status, 401, "{body}");
    }
    assert_eq!(ping(&format!("webhook_id={}", "1".repeat(53))).await.status, 401);
    assert_eq!((outcome(&app, "woocommerce", "handshake").await, appended(&app).await), (1, 0));
}

/// Acceptance 2, the rest. Method: the same body with signatures near the good one, and near bodies with the good one.
#[tokio::test(start_paused = true)]
async fn what_is_not_signed_as_it_should_be_is_refused() {
    let app = app().await;
    let body = fixture!("product-updated.json");
    let good = signed(SECRET, body);
    let post = async |signature: &str, body: String| {
        deliver(
            &app,
            PATH,
            &[("x-wc-webhook-topic", "product.updated"), ("x-wc-webhook-signature", signature)],
            body,
        )
        .await
    };
    let again = serde_json::from_str::<Value>(body).unwrap().to_string();
    assert_ne!(again, body, "written again, slashes and letters are other bytes");
    let flipped = body.replacen('L', "M", 1);
    for (signature, body) in [
        (signed("another-secret-of-24-char", body).as_str(), body),
        (&good[..43], body),
        (&good.to_uppercase(), body),
        ("", body),
        (&good, &again),
        (&good, &flipped),
        (&good, &format!("{body} ")),
        (&good, ""),
    ] {
        let answer = post(signature, body.to_owned()).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (401, &json!("unauthorized")));
    }
    assert_eq!(post(&good, body.to_owned()).await.status, 200);
    assert_eq!(appended(&app).await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_secret_is_decoded_as_wordpress_does_and_an_old_one_goes_on() {
    let typed = "R8&amp;kq2vXw&#039;m1ZsTb6yHc";
    let app = TestApp::with(&[("WC_WEBHOOK_SECRET", &format!("{SECRET},{typed}"))]).await;
    let body = fixture!("product-deleted.json");
    for (n, key) in ["R8&kq2vXw'm1ZsTb6yHc", SECRET].into_iter().enumerate() {
        let headers = [
            ("x-wc-webhook-topic", "product.deleted"),
            ("x-wc-webhook-signature", &signed(key, body)),
            ("x-wc-webhook-delivery-id", &n.to_string()),
        ];
        // The older name of the path.
        let answer = deliver(&app, "/api/webhooks/product-update", &headers, body).await;
        assert_eq!(answer.status, 200, "{key}");
    }
    assert_eq!(WooCommerce::key(typed), b"R8&kq2vXw'm1ZsTb6yHc");
    assert_eq!(appended(&app).await, 2);
}

/// Acceptance 3. Goal: a variation is its parent's, also where only its number comes.
#[tokio::test(start_paused = true)]
async fn a_variation_reaches_those_who_look_at_its_parent() {
    let app = app().await;
    let mut stream = app.stream("products=810").await;
    accepted(
        &app,
        "action.woocommerce_delete_product_variation",
        1,
        fixture!("action-delete-variation.json"),
    )
    .await;
    assert_eq!(figure(&app, r#"shelfcast_webhook_parts_unknown_total{platform="woocommerce"}"#).await, 1);
    assert_eq!((appended(&app).await, outcome(&app, "woocommerce", "ignored").await), (0, 1));

    accepted(&app, "product.updated", 2, fixture!("variation-updated.json")).await;
    accepted(&app, "action.woocommerce_updated_product_stock", 3, fixture!("action-updated-stock.json"))
        .await;
    accepted(
        &app,
        "action.woocommerce_delete_product_variation",
        4,
        fixture!("action-delete-variation.json"),
    )
    .await;
    let told = told(&mut stream).await;
    let kinds: Vec<_> = told.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["product_update", "inventory_update", "product_update"]);
    assert!(
        told.iter().all(|(_, data)| data["productId"] == "810" && data["variationId"] == "814"),
        "{told:?}"
    );
    assert_eq!((&told[0].1["price"], &told[2].1["action"]), (&json!(10.5), &json!("updated")));
}

#[tokio::test(start_paused = true)]
async fn a_product_deleted_for_good_is_told_by_its_action() {
    let app = app().await;
    let mut stream = app.stream("products=794").await;
    accepted(&app, "action.woocommerce_delete_product", 1, fixture!("action-delete-product.json")).await;
    let (kind, data) = told(&mut stream).await.remove(0);
    assert_eq!((kind.as_str(), &data["action"]), ("product_update", &json!("deleted")));
}

#[tokio::test(start_paused = true)]
async fn an_order_is_a_hint_for_each_of_its_products() {
    let app = app().await;
    let mut stream = app.stream("products=794").await;
    accepted(&app, "order.created", 1, fixture!("order-created.json")).await;
    let time = "2025-12-31T15:00:02.000000Z";
    let hint = json!({"productId": "794", "timestamp": time});
    assert_eq!(told(&mut stream).await, [("inventory_update".to_owned(), hint)]);
    assert_eq!(appended(&app).await, 2);
}

/// Goal: a sale of the whole shop is neither refused nor 600 events: its products are told to refetch.
#[tokio::test(start_paused = true)]
async fn more_products_than_one_append_takes_are_one_word_to_refetch() {
    let app = app().await;
    let mut stream = app.stream("products=599&features=resync").await;
    let ids: Vec<_> = (1..=600).collect();
    let body = json!({"action": "wc_after_products_starting_sales", "arg": ids}).to_string();
    accepted(&app, "action.wc_after_products_starting_sales", 1, &body).await;
    let (word, _) = stream.resync().await;
    assert_eq!((&word.data["reason"], &word.data["productIds"]), (&json!("gap"), &json!(["599"])));
}

#[tokio::test(start_paused = true)]
async fn what_is_no_product_is_refused_and_what_is_no_concern_of_shoppers_is_thanked_for() {
    let app = app().await;
    let forbidden = send(&app, "product.updated", 1, fixture!("product-forbidden.json")).await;
    assert_eq!((forbidden.status.as_u16(), &forbidden.json()["code"]), (422, &json!("invalid_event")));
    assert_eq!(send(&app, "product.updated", 2, "<br />\nWarning: {}").await.status, 400);
    assert_eq!(outcome(&app, "woocommerce", "unreadable").await, 2);
    for topic in ["coupon.updated", "customer.created", "order.deleted", "action.woocommerce_thankyou"] {
        accepted(&app, topic, 3, r#"{"id":26}"#).await;
    }
    assert_eq!((outcome(&app, "woocommerce", "ignored").await, appended(&app).await), (4, 0));
}

/// Goal: products with long texts come in. Method: 1.9 MB of description.
#[tokio::test(start_paused = true)]
async fn a_large_product_is_taken_in_whole() {
    let app = app().await;
    let long = "<p>Woven by hand.<\\/p>\\n".repeat(80_000);
    let body = fixture!("product-updated.json").replace("A shirt for hot days.", &long);
    assert!(body.len() > 1_900_000);
    accepted(&app, "product.updated", 1, &body).await;
    assert_eq!(appended(&app).await, 1);
}
