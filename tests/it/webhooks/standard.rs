//! `/api/webhooks/custom`: a backend with a public library in place of a key.

use serde_json::json;
use shelfcast::ingest::webhooks::{Secrets, Standard};

use super::{appended, deliver, outcome, told};
use crate::support::{Answer, TestApp};

const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const EVENT: &str = r#"{"productId":"p1","type":"price_update","data":{"newPrice":1}}"#;
/// The clock of tests stands here.
const NOW_SECS: i64 = 1_767_225_600;

async fn app() -> TestApp {
    TestApp::with(&[("STANDARD_WEBHOOK_SECRET", SECRET)]).await
}

async fn send(app: &TestApp, id: &str, at_secs: i64, body: &str) -> Answer {
    let secrets = Secrets::new([Standard::key(SECRET).unwrap()]);
    let timestamp = at_secs.to_string();
    let signature = secrets.sign(&Standard::signed(id, &timestamp, body.as_bytes())).unwrap();
    let signature = format!("v1,{}", signature.to_base64());
    let headers = [
        ("webhook-id", id),
        ("webhook-timestamp", timestamp.as_str()),
        ("webhook-signature", signature.as_str()),
    ];
    deliver(app, "/api/webhooks/custom", &headers, body.to_owned()).await
}

#[tokio::test(start_paused = true)]
async fn a_signed_event_is_answered_as_notify_answers() {
    let app = app().await;
    let mut stream = app.stream("products=p1").await;
    let answer = send(&app, "msg_1", NOW_SECS, EVENT).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    assert_eq!(answer.json()["accepted"], 1);
    assert_eq!(told(&mut stream).await, [("price_update".to_owned(), json!({"newPrice": 1}))]);
    let many = format!(r#"{{"events":[{EVENT},{EVENT},{EVENT}]}}"#);
    assert_eq!(send(&app, "msg_2", NOW_SECS, &many).await.json()["accepted"], 3);
    assert_eq!(appended(&app).await, 4);
}

/// Goal: 100 replays of one delivery are one event. Method: the sender signs each try anew, as it does.
#[tokio::test(start_paused = true)]
async fn a_delivery_sent_again_is_appended_once() {
    let app = app().await;
    for try_n in 0..100 {
        let answer = send(&app, "msg_1", NOW_SECS + try_n, EVENT).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["duplicate"]), (202, &json!(try_n > 0)));
    }
    assert_eq!(appended(&app).await, 1);
    assert_eq!(
        (outcome(&app, "standard", "accepted").await, outcome(&app, "standard", "duplicate").await),
        (1, 99)
    );
    let other = send(&app, "msg_1", NOW_SECS, &EVENT.replace('1', "2")).await;
    assert_eq!((other.status.as_u16(), &other.json()["code"]), (422, &json!("idempotency_key_reused")));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_signed_as_it_should_be_appends_nothing() {
    let app = app().await;
    for answer in [
        deliver(&app, "/api/webhooks/custom", &[], EVENT).await,
        deliver(&app, "/api/webhooks/custom", &[("webhook-signature", "v1,AAAA")], EVENT).await,
        send(&app, "msg_1", NOW_SECS - 301, EVENT).await,
    ] {
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["code"]),
            (401, &json!("unauthorized")),
            "{answer:?}"
        );
    }
    assert_eq!(outcome(&app, "standard", "bad_signature").await, 3);
    for (body, status) in [("{", 400), ("[]", 422), (r#"{"productId":"a b"}"#, 422)] {
        assert_eq!(send(&app, "msg_2", NOW_SECS, body).await.status, status, "{body}");
    }
    assert_eq!(outcome(&app, "standard", "unreadable").await, 3);
    assert_eq!(appended(&app).await, 0);
}
