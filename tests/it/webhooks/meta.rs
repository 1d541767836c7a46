//! `/api/webhooks/whatsapp` and `/api/webhooks/facebook`: as an app at Meta calls them.

use std::net::IpAddr;

use axum::{body::Body, http::Request};
use serde_json::json;
use shelfcast::{ingest::webhooks::Secrets, web::ClientAddress};

use super::{appended, deliver, figure, outcome, told};
use crate::support::{Answer, TestApp};

const SECRET: &str = "614fc2afde15eee07a26b2fe3eaee9b9";
const TOKEN: &str = "b31f9d0c7e5a2648";

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../fixtures/webhooks/meta/", $name))
    };
}

async fn app() -> TestApp {
    TestApp::with(&[("META_APP_SECRET", SECRET), ("META_VERIFY_TOKEN", TOKEN)]).await
}

async fn send(app: &TestApp, path: &str, body: &str) -> Answer {
    let signature = Secrets::new([SECRET]).sign(&[body.as_bytes()]).unwrap().to_hex();
    let headers = [("x-hub-signature-256", format!("sha256={signature}"))];
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    deliver(app, &format!("/api/webhooks/{path}"), &headers, body.to_owned()).await
}

/// Acceptance 8. Goal: the challenge comes back as plain text, to those who know the token.
#[tokio::test(start_paused = true)]
async fn the_challenge_comes_back_as_plain_text() {
    let app = app().await;
    for path in ["whatsapp", "facebook"] {
        let ask = |token: &str| {
            format!(
                "/api/webhooks/{path}?hub.mode=subscribe&hub.verify_token={token}&hub.challenge=1158201444"
            )
        };
        let answer = app.get(&ask(TOKEN)).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, "1158201444"));
        assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8");
        let refused = app.get(&ask("another")).await;
        assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (403, &json!("bad_verify_token")));
    }
    assert_eq!(outcome(&app, "meta", "handshake").await, 2);
    let without = TestApp::with(&[("META_APP_SECRET", SECRET)]).await;
    let answer = without.get("/api/webhooks/whatsapp?hub.mode=subscribe&hub.challenge=1").await;
    assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (404, &json!("webhook_not_configured")));
}

#[tokio::test(start_paused = true)]
async fn who_guesses_the_token_is_told_to_wait() {
    let app = app().await;
    let client = ClientAddress::new("192.0.2.1".parse::<IpAddr>().unwrap());
    for n in 0..11 {
        let request =
            Request::get("/api/webhooks/whatsapp?hub.mode=subscribe&hub.challenge=1&hub.verify_token=a");
        let answer = app.send(request.extension(client).body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, if n < 10 { 403 } else { 429 });
    }
}

/// Acceptance 8, the rest. Goal: escaped letters verify as they came; of an order only its products are told.
#[tokio::test(start_paused = true)]
async fn an_order_is_a_hint_for_each_of_its_products() {
    let app = app().await;
    let mut stream = app.stream("products=794").await;
    let answer = send(&app, "whatsapp", fixture!("order.json")).await;
    assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({"ok": true})));
    let hint = json!({"productId": "794", "timestamp": "2025-12-31T00:00:00.000000Z"});
    assert_eq!(told(&mut stream).await, [("inventory_update".to_owned(), hint)]);
    assert_eq!(appended(&app).await, 2);
    assert_eq!(figure(&app, r#"shelfcast_webhook_parts_unknown_total{platform="meta"}"#).await, 1);
}

/// Goal: a message is known by its own id, also when it comes again beside others.
#[tokio::test(start_paused = true)]
async fn a_message_sent_again_in_another_bundle_is_known() {
    let app = app().await;
    for _ in 0..50 {
        assert_eq!(send(&app, "whatsapp", fixture!("order.json")).await.status, 200);
        assert_eq!(send(&app, "facebook", fixture!("order-and-text.json")).await.status, 200);
    }
    assert_eq!((appended(&app).await, outcome(&app, "meta", "duplicate").await), (2, 99));
}

#[tokio::test(start_paused = true)]
async fn everything_else_is_thanked_for_and_a_bad_signature_is_not() {
    let app = app().await;
    for body in
        [fixture!("status.json"), fixture!("page.json"), "{}", r#"{"entry":[{"changes":[{"value":7}]}]}"#]
    {
        assert_eq!(send(&app, "facebook", body).await.status, 200, "{body}");
    }
    assert_eq!((outcome(&app, "meta", "ignored").await, appended(&app).await), (4, 0));
    let forged = deliver(&app, "/api/webhooks/whatsapp", &[("x-hub-signature-256", "sha256=00")], "{}").await;
    assert_eq!((forged.status.as_u16(), outcome(&app, "meta", "bad_signature").await), (401, 1));
}
