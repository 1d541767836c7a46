//! What every platform's path has in common: not configured, too large, too many failures, draining, origins.

use std::net::IpAddr;

use axum::{
    body::Body,
    http::{Method, Request},
};
use serde_json::json;
use shelfcast::web::ClientAddress;

use super::{appended, deliver};
use crate::support::TestApp;

const SECRET: (&str, &str) = ("STANDARD_WEBHOOK_SECRET", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD");
const PATHS: [&str; 6] = ["custom", "whatsapp", "facebook", "shopify", "woocommerce", "product-update"];

/// Signed, but with no secret of ours.
const FORGED: [(&str, &str); 3] =
    [("webhook-id", "msg_1"), ("webhook-timestamp", "1767225600"), ("webhook-signature", "v1,AAAA")];

#[tokio::test(start_paused = true)]
async fn a_platform_without_a_secret_is_not_there() {
    let app = TestApp::start().await;
    for path in PATHS {
        let answer = deliver(&app, &format!("/api/webhooks/{path}"), &FORGED, "{}").await;
        assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (404, &json!("webhook_not_configured")));
    }
    let unknown = deliver(&app, "/api/webhooks/other", &[], "{}").await;
    assert_eq!((unknown.status.as_u16(), &unknown.json()["code"]), (404, &json!("not_found")));
}

#[tokio::test(start_paused = true)]
async fn a_delivery_has_two_mebibytes_at_most_and_an_unsigned_one_is_not_even_read() {
    let app = TestApp::with(&[SECRET]).await;
    let big = deliver(&app, "/api/webhooks/custom", &FORGED, vec![b' '; 2 * 1024 * 1024 + 1]).await;
    assert_eq!((big.status.as_u16(), &big.json()["code"]), (413, &json!("body_too_large")));
    let fits = deliver(&app, "/api/webhooks/custom", &FORGED, vec![b' '; 2 * 1024 * 1024]).await;
    assert_eq!(fits.status, 401);
    // A body that never ends would not be answered if it were read.
    let endless = Request::post("/api/webhooks/custom").body(Body::new(Endless)).unwrap();
    assert_eq!(app.send(endless).await.status, 401);
}

/// Goal: a body that does not come holds its room for ten seconds, no longer.
#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_given_up() {
    let app = TestApp::with(&[SECRET]).await;
    let mut request = Request::post("/api/webhooks/custom");
    for (name, value) in FORGED {
        request = request.header(name, value);
    }
    let answer = app.send(request.body(Body::new(Endless)).unwrap()).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (408, &json!("body_timeout")));
}

#[tokio::test(start_paused = true)]
async fn who_guesses_signatures_is_told_to_wait() {
    let app = TestApp::with(&[SECRET]).await;
    let from = |address: &str| {
        let mut request = Request::builder().method(Method::POST).uri("/api/webhooks/custom");
        for (name, value) in FORGED {
            request = request.header(name, value);
        }
        let client = ClientAddress::new(address.parse::<IpAddr>().unwrap());
        request.extension(client).body(Body::from("{}")).unwrap()
    };
    for _ in 0..10 {
        assert_eq!(app.send(from("192.0.2.1")).await.status, 401);
    }
    let late = app.send(from("192.0.2.1")).await;
    assert_eq!((late.status.as_u16(), &late.json()["code"]), (429, &json!("rate_limited")));
    assert_eq!(app.send(from("192.0.2.2")).await.status, 401);
}

#[tokio::test(start_paused = true)]
async fn a_platform_needs_no_origin_and_only_asks_by_post() {
    let app = TestApp::with(&[SECRET, ("REQUIRE_ORIGIN", "true")]).await;
    assert_eq!(deliver(&app, "/api/webhooks/custom", &FORGED, "{}").await.status, 401);
    let get = app.get("/api/webhooks/custom").await;
    assert_eq!((get.status.as_u16(), &get.json()["code"]), (405, &json!("method_not_allowed")));
}

#[tokio::test(start_paused = true)]
async fn a_gateway_on_its_way_out_takes_no_delivery() {
    let app = TestApp::with(&[SECRET]).await;
    app.drain().await;
    let answer = deliver(&app, "/api/webhooks/custom", &FORGED, "{}").await;
    assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (503, &json!("draining")));
    assert_eq!(appended(&app).await, 0);
}

/// A body of which nothing ever comes.
struct Endless;

impl http_body::Body for Endless {
    type Data = bytes::Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<bytes::Bytes>, Self::Error>>> {
        std::task::Poll::Pending
    }
}
