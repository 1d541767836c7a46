//! S1, S2: pages of others.

use axum::{body::Body, http::Request};
use http_body_util::BodyExt as _;

use super::PRODUCTION;
use crate::support::TestApp;

/// What an attacker can make a browser, or a sloppy parser, say.
const FOREIGN: [&[u8]; 24] = [
    b"https://evil.example",
    b"https://evil-shop.example",
    b"https://shop.example.evil.test",
    b"https://evil.test/https://shop.example",
    b"https://evil.test?https://shop.example",
    b"https://shop.example@evil.test",
    b"https://user@shop.example",
    b"https://www.shop.example",
    b"https://shop.exampl",
    b"https://shop.example.",
    b"https://shop.example/",
    b"https://shop.example:443",
    b"https://shop.example:8443",
    b"http://shop.example",
    b"wss://shop.example",
    b"https://SHOP.example",
    b"HTTPS://shop.example",
    b"https://shop.example, https://evil.test",
    b"https://shop.example https://evil.test",
    b"https://sh\xc3\xb6p.example",
    b"http://localhost:3009",
    b"null",
    b"*",
    b"",
];

/// The four ways in, as a browser asks for them.
fn doors() -> [(&'static str, axum::http::request::Builder); 4] {
    let upgrade = Request::get("/socket.io/?EIO=4&transport=websocket")
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    [
        ("upgrade", upgrade),
        ("polling GET", Request::get("/socket.io/?EIO=4&transport=polling")),
        ("polling POST", Request::post("/socket.io/?EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAA")),
        ("SSE", Request::get("/api/events?products=p1")),
    ]
}

/// Goal (S1): no page but the shop's gets in, and Socket.IO never hears of the others. Method: each origin at each door;
/// the library would answer an unknown session with 400, and a new one with its id.
#[tokio::test(start_paused = true)]
async fn a_page_of_another_origin_is_refused_at_every_door() {
    let app = TestApp::with(&PRODUCTION).await;
    for origin in FOREIGN {
        for (door, request) in doors() {
            let request = request.header("host", "push.example").header("origin", origin);
            let answer = app.send(request.body(Body::empty()).unwrap()).await;
            let origin = String::from_utf8_lossy(origin);
            assert_eq!(answer.status, 403, "{origin} at {door}");
            assert_eq!(answer.json()["code"], "origin_not_allowed", "{origin} at {door}");
            assert!(!answer.headers.contains_key("access-control-allow-origin"), "{origin} at {door}");
        }
    }
    let metrics = app.get("/metrics").await.text;
    let refused = FOREIGN.len() * doors().len();
    assert!(
        metrics.contains(&format!("refused_total{{code=\"origin_not_allowed\"}} {refused}")),
        "{metrics}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_shops_own_page_gets_in_at_every_door() {
    let app = TestApp::with(&PRODUCTION).await;
    // Nobody knows the session of the POST, but it gets past the door.
    for ((door, request), status) in doors().into_iter().zip([101, 200, 400, 200]) {
        let request = request.header("host", "push.example").header("origin", "https://shop.example");
        let answer = app.open(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status(), status, "{door}");
    }
}

/// Goal (S2): CORS tells what the door does, and no more. Method: the headers of answers and preflights.
#[tokio::test(start_paused = true)]
async fn a_page_of_another_origin_may_not_read_an_answer() {
    let app = TestApp::with(&PRODUCTION).await;
    for path in [
        "/health",
        "/api/events?products=p1",
        "/api/events",
        "/socket.io/?EIO=4&transport=polling",
        "/nowhere",
    ] {
        for (origin, told) in
            [("https://shop.example", Some("https://shop.example")), ("https://evil.example", None)]
        {
            let request = Request::get(path).header("host", "push.example").header("origin", origin);
            let headers = app.open(request.body(Body::empty()).unwrap()).await.headers().clone();
            let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap());
            assert_eq!(header("access-control-allow-origin"), told, "{path} {origin}");
            let vary = header("vary").unwrap_or_default().to_ascii_lowercase();
            assert!(vary.split(',').any(|name| name.trim() == "origin"), "{path} {origin}: vary {vary:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_preflight_allows_the_shop_the_methods_in_use_and_others_nothing() {
    let app = TestApp::with(&PRODUCTION).await;
    for (origin, told) in
        [("https://shop.example", Some("https://shop.example")), ("https://evil.example", None)]
    {
        let request = Request::options("/socket.io/?EIO=4&transport=polling")
            .header("host", "push.example")
            .header("origin", origin)
            .header("access-control-request-method", "DELETE");
        let response = app.open(request.body(Body::empty()).unwrap()).await;
        let header =
            |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(header("access-control-allow-origin").as_deref(), told);
        assert_eq!(header("access-control-max-age").as_deref(), Some("600"));
        let methods = header("access-control-allow-methods").unwrap_or_default();
        assert!(methods.split(',').all(|m| ["GET", "POST", ""].contains(&m.trim())), "{methods}");
        let values =
            response.headers().iter().filter(|(name, _)| name.as_str().starts_with("access-control"));
        assert!(values.into_iter().all(|(_, value)| value != "*"), "never a wildcard beside credentials");
        assert!(response.into_body().collect().await.unwrap().to_bytes().is_empty());
    }
}
