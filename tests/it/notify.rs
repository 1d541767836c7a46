//! `POST /api/notify`: what is accepted, what is refused with which code, and that a refusal appends nothing.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::Body,
    http::{Method, Request},
};
use bytes::Bytes;
use http_body::Frame;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::support::{Answer, KEY, TestApp};

const GOOD: &str = r#"{"productId":"p1","type":"price_update","data":{"newPrice":1}}"#;

/// The distance between two cursors of one epoch.
fn distance(from: &str, to: &str) -> i64 {
    let n = |cursor: &str| cursor.split_once('.').unwrap().1.parse::<i64>().unwrap();
    n(to) - n(from)
}

async fn refused(app: &TestApp, answer: Answer, status: u16, code: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.json()["code"], code, "{answer:?}");
    assert_eq!(answer.json()["status"], status);
    assert_eq!(answer.headers["content-type"], "application/problem+json");
    let metrics = app.get("/metrics").await.text;
    assert!(metrics.contains("shelfcast_events_appended_total 0"), "a refused request appended something");
}

fn event(changes: &[(&str, Value)]) -> String {
    let mut event: Value = serde_json::from_str(GOOD).unwrap();
    for (name, value) in changes {
        event[*name] = value.clone();
    }
    event.to_string()
}

/// Goal: each refusal of the contract. Method: one request each, with the code and the fields it must name.
#[tokio::test(start_paused = true)]
async fn every_bad_body_is_refused_with_its_code_and_its_fields() {
    let app = TestApp::start().await;
    let good: Value = serde_json::from_str(GOOD).unwrap();
    let too_many = json!({"events": vec![good.clone(); 501]}).to_string();
    let (long_id, big) = ("x".repeat(129), "x".repeat(16 * 1024));
    let table: Vec<(String, u16, &str, Vec<&str>)> = vec![
        ("".into(), 400, "malformed_json", vec![]),
        ("{".into(), 400, "malformed_json", vec![]),
        (format!("{GOOD}x"), 400, "malformed_json", vec![]),
        ("{\"productId\":\"p\u{0}\"}".into(), 400, "malformed_json", vec![]),
        ("[]".into(), 422, "invalid_event", vec![""]),
        (format!("[{GOOD}]"), 422, "invalid_event", vec![""]),
        ("null".into(), 422, "invalid_event", vec![""]),
        ("{}".into(), 422, "invalid_event", vec!["productId", "type", "data"]),
        (event(&[("productId", json!(""))]), 422, "invalid_event", vec!["productId"]),
        (event(&[("productId", json!(long_id))]), 422, "invalid_event", vec!["productId"]),
        (event(&[("productId", json!("a b"))]), 422, "invalid_event", vec!["productId"]),
        (event(&[("productId", json!("a\nb"))]), 422, "invalid_event", vec!["productId"]),
        (event(&[("productId", json!("prøduct"))]), 422, "invalid_event", vec!["productId"]),
        (event(&[("productId", json!(1.5))]), 422, "invalid_event", vec!["productId"]),
        (event(&[("productId", json!(-1))]), 422, "invalid_event", vec!["productId"]),
        (event(&[("productId", json!(["p"]))]), 422, "invalid_event", vec!["productId"]),
        (event(&[("type", json!("stock_update"))]), 422, "invalid_event", vec!["type"]),
        (event(&[("type", json!(7))]), 422, "invalid_event", vec!["type"]),
        (event(&[("data", json!([1]))]), 422, "invalid_event", vec!["data"]),
        (event(&[("data", json!("x"))]), 422, "invalid_event", vec!["data"]),
        (event(&[("data", Value::Null)]), 422, "invalid_event", vec!["data"]),
        (event(&[("data", json!({"x": big}))]), 422, "invalid_event", vec!["data"]),
        (event(&[("timestamp", json!("yesterday"))]), 422, "invalid_event", vec!["timestamp"]),
        (event(&[("timestamp", json!(1_767_225_600))]), 422, "invalid_event", vec!["timestamp"]),
        (event(&[("eventId", json!(""))]), 422, "invalid_event", vec!["eventId"]),
        (event(&[("eventId", json!(1))]), 422, "invalid_event", vec!["eventId"]),
        (
            r#"{"productId":"a","productId":"b","type":"price_update","data":{}}"#.into(),
            422,
            "invalid_event",
            vec![""],
        ),
        (r#"{"type":"price_update","type":"price_update","data":"#.into(), 400, "malformed_json", vec![]),
        (format!(r#"{{"events":[{GOOD}],"data":1,"data":2}}"#), 422, "invalid_event", vec![""]),
        (r#"{"events":[{"events":1,"events":2}]}"#.into(), 422, "invalid_event", vec!["events[0]"]),
        (
            event(&[("productId", json!("p"))]).replace("\"p\"", r#""\ud800""#),
            422,
            "invalid_event",
            vec!["productId"],
        ),
        (format!("[{GOOD},{GOOD}]"), 422, "invalid_event", vec![""]),
        (r#"{"events":[]}"#.into(), 422, "invalid_event", vec!["events"]),
        (r#"{"events":{}}"#.into(), 422, "invalid_event", vec!["events"]),
        (r#"{"events":[["p","price_update",{}]]}"#.into(), 422, "invalid_event", vec!["events[0]"]),
        (event(&[("events", json!([good]))]), 422, "invalid_event", vec!["events"]),
        (
            format!(r#"{{"events":[{GOOD},{{"type":"x","data":{{}}}},{GOOD},5]}}"#),
            422,
            "invalid_event",
            vec!["events[1].productId", "events[1].type", "events[3]"],
        ),
        (too_many, 422, "too_many_events", vec!["events"]),
    ];
    for (body, status, code, paths) in table {
        let shown: String = body.chars().take(80).collect();
        let answer = app.post(body, &[]).await;
        let problem = answer.json();
        refused(&app, answer, status, code).await;
        let named: Vec<_> = problem["errors"].as_array().into_iter().flatten().map(|e| &e["path"]).collect();
        assert_eq!(named, paths, "{shown}");
    }
}

#[tokio::test(start_paused = true)]
async fn malformed_json_is_told_with_its_place() {
    let app = TestApp::start().await;
    let problem = app.post("{\n  \"productId\": oops}", &[]).await.json();
    assert_eq!((&problem["line"], &problem["column"]), (&json!(2), &json!(16)), "{problem}");
    let named = [("x-request-id", "r-1")];
    let problem = app.post(&b"{\"a\":\n \"\xff\"}"[..], &named).await.json();
    assert_eq!((&problem["line"], &problem["column"]), (&json!(2), &json!(3)), "{problem}");
    for (body, line) in [("", 1), ("{\n", 2)] {
        let problem = app.post(body, &[]).await.json();
        assert_eq!((&problem["line"], &problem["column"]), (&json!(line), &json!(1)), "{problem}");
    }
    insta::assert_snapshot!(problem);
    insta::assert_snapshot!(app.post(r#"{"events":[{"productId":"a b"}]}"#, &named).await.json());
}

/// Goal: what is refused before the body is read. Method: one header each.
#[tokio::test(start_paused = true)]
async fn keys_media_types_and_sizes_are_refused_before_the_body_counts() {
    let app = TestApp::start().await;
    let request = |headers: &[(&str, &str)], body: Body| {
        let mut request = Request::builder().method(Method::POST).uri("/api/notify");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(body).unwrap()
    };
    let json = ("content-type", "application/json");
    let big = Body::from(" ".repeat(256 * 1024 + 1));
    for (headers, body, status, code) in [
        (vec![json], Body::from(GOOD), 401, "unauthorized"),
        (vec![json, ("x-api-key", "wrong")], Body::from(GOOD), 401, "unauthorized"),
        (vec![json, ("authorization", "Bearer wrong")], Body::from(GOOD), 401, "unauthorized"),
        (vec![("x-api-key", KEY)], Body::from(GOOD), 415, "unsupported_media_type"),
        (
            vec![("x-api-key", KEY), ("content-type", "text/plain")],
            Body::from(GOOD),
            415,
            "unsupported_media_type",
        ),
        (
            vec![("x-api-key", KEY), json, ("content-encoding", "gzip")],
            Body::from(GOOD),
            415,
            "unsupported_encoding",
        ),
        (
            vec![("x-api-key", KEY), json, ("content-length", "300000")],
            Body::from(GOOD),
            413,
            "body_too_large",
        ),
        (vec![("x-api-key", KEY), json], big, 413, "body_too_large"),
        (vec![("x-api-key", KEY), json], Body::new(Chunks(300)), 413, "body_too_large"),
    ] {
        refused(&app, app.send(request(&headers, body)).await, status, code).await;
    }
    refused(&app, app.get("/api/notify").await, 405, "method_not_allowed").await;
    refused(&app, app.get("/api/notifications").await, 404, "not_found").await;
}

/// Goal: a key never works from the URL, and whoever tried is told why. Method: a good key there, alone and beside a
/// good header.
#[tokio::test(start_paused = true)]
async fn a_key_in_the_url_is_refused_with_a_word_why() {
    let app = TestApp::start().await;
    let request = |name: &str, headers: &[(&str, &str)]| {
        let mut request = Request::post(format!("/api/notify?{name}={KEY}"));
        for (name, value) in [&[("content-type", "application/json")], headers].concat() {
            request = request.header(name, value);
        }
        request.body(Body::from(GOOD)).unwrap()
    };
    for name in ["api_key", "apikey", "key", "token"] {
        let answer = app.send(request(name, &[])).await;
        assert!(answer.json()["detail"].as_str().unwrap().contains("a key in the URL"), "{answer:?}");
        assert!(!answer.text.contains(KEY));
        refused(&app, answer, 401, "unauthorized").await;
    }
    let wrong = app.send(request("api_key", &[("x-api-key", "wrong")])).await;
    assert!(
        !wrong.json()["detail"].as_str().unwrap().contains("URL"),
        "a header was tried: it is what is wrong"
    );
    assert_eq!(app.send(request("key", &[("x-api-key", KEY)])).await.status, 202, "the header counts");
}

/// A body in pieces of a kibibyte, without a told length.
struct Chunks(usize);

impl http_body::Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0 = self.0.saturating_sub(1);
        Poll::Ready((self.0 > 0).then(|| Ok(Frame::data(Bytes::from_static(&[b' '; 1024])))))
    }
}

#[tokio::test(start_paused = true)]
async fn good_requests_are_numbered_densely() {
    let app = TestApp::start().await;
    let first = app.post(GOOD, &[]).await;
    assert_eq!(first.status, 202);
    let first = first.json();
    assert_eq!(
        (&first["accepted"], &first["duplicates"], &first["duplicate"]),
        (&json!(1), &json!(0), &json!(false))
    );
    let batch = format!(r#"{{"events":[{GOOD},{GOOD}]}}"#);
    let second = app.post(batch, &[("content-type", "application/json; charset=utf-8")]).await.json();
    assert_eq!(second["accepted"], 2);
    assert_eq!(distance(first["cursor"].as_str().unwrap(), second["cursor"].as_str().unwrap()), 2);
}

#[tokio::test(start_paused = true)]
async fn ids_may_be_whole_numbers_and_stay_exact() {
    let app = TestApp::start().await;
    let mut stream = app.stream("products=12345678901234567890").await;
    let body = r#"{"productId":12345678901234567890,"type":"inventory_update","data":{}}"#;
    assert_eq!(app.post(body, &[]).await.status, 202);
    assert_eq!(stream.batch().await.text("productId"), "12345678901234567890");
}

#[tokio::test(start_paused = true)]
async fn an_idempotency_key_makes_a_retry_harmless() {
    let app = TestApp::start().await;
    let key = [("idempotency-key", "order-7")];
    let first = app.post(GOOD, &key).await.json();
    let again = app.post(GOOD, &key).await;
    assert_eq!(again.status, 202);
    assert_eq!(
        again.json(),
        json!({"accepted": 1, "duplicates": 0, "cursor": first["cursor"], "duplicate": true})
    );
    let other = app.post(event(&[("productId", json!("p2"))]), &key).await;
    assert_eq!((other.status.as_u16(), &other.json()["code"]), (422, &json!("idempotency_key_reused")));
    let bad = app.post(GOOD, &[("idempotency-key", "tab\there")]).await;
    assert_eq!((bad.status.as_u16(), &bad.json()["code"]), (422, &json!("invalid_event")));
    let next = app.price("p1", 2).await;
    assert_eq!(distance(first["cursor"].as_str().unwrap(), &next), 1, "nothing was appended in between");
}

#[tokio::test(start_paused = true)]
async fn an_event_id_claims_its_event_once() {
    let app = TestApp::start().await;
    let a = event(&[("eventId", json!("a"))]);
    let answer = app.post(format!(r#"{{"events":[{a},{a}]}}"#), &[]).await.json();
    assert_eq!(
        (&answer["accepted"], &answer["duplicates"], &answer["duplicate"]),
        (&json!(1), &json!(1), &json!(false))
    );
    let again = app.post(a, &[]).await.json();
    assert_eq!(
        (&again["accepted"], &again["duplicates"], &again["duplicate"]),
        (&json!(0), &json!(1), &json!(true))
    );
    assert_eq!(answer["cursor"], again["cursor"]);
}

#[tokio::test(start_paused = true)]
async fn a_draining_gateway_takes_nothing_and_says_when_to_come_again() {
    let app = TestApp::start().await;
    app.drain().await;
    let answer = app.post(GOOD, &[]).await;
    assert_eq!(answer.headers["retry-after"], "1");
    refused(&app, answer, 503, "draining").await;
}

/// Goal: a post on the last connection that was accepted is not refused. Method: posts around the end of the delay.
#[tokio::test(start_paused = true)]
async fn posts_are_taken_for_a_moment_after_the_last_connection_was_accepted() {
    let app = TestApp::start().await;
    let delay = Duration::from_secs(5);
    let posting = async {
        sleep(delay + Duration::from_millis(150)).await;
        let early = app.post(GOOD, &[]).await;
        sleep(Duration::from_millis(100)).await;
        (early, app.post(GOOD, &[]).await)
    };
    let ((early, late), ()) = tokio::join!(posting, app.drain_after(delay));
    assert_eq!(early.status, 202);
    assert_eq!((late.status.as_u16(), &late.json()["code"]), (503, &json!("draining")));
}

/// A body that comes when its time has come.
struct LateBody(Option<Pin<Box<tokio::time::Sleep>>>);

impl http_body::Body for LateBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(sleep) = &mut self.0 else { return Poll::Ready(None) };
        std::task::ready!(sleep.as_mut().poll(cx));
        self.0 = None;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(GOOD.as_bytes())))))
    }
}

/// Goal: no 202 for what nobody will deliver. Method: a request that arrives before the drain, its body after.
#[tokio::test(start_paused = true)]
async fn a_body_that_comes_after_the_drain_is_refused() {
    let app = TestApp::start().await;
    let late = LateBody(Some(Box::pin(sleep(Duration::from_millis(600)))));
    let drain = async {
        sleep(Duration::from_millis(100)).await;
        app.drain().await;
    };
    let (answer, ()) = tokio::join!(app.post(Body::new(late), &[]), drain);
    refused(&app, answer, 503, "draining").await;
}

#[tokio::test(start_paused = true)]
async fn pages_of_other_shops_are_refused_everywhere() {
    let app = TestApp::with(&[
        ("ALLOWED_ORIGINS", "https://shop.example"),
        ("APP_ENV", "production"),
        ("INTERNAL_API_KEY", "b7e1c0f5a2d94386b7e1c0f5a2d94386"),
    ])
    .await;
    for path in ["/health", "/api/events?products=p1", "/socket.io/?EIO=4&transport=polling"] {
        let from = |origin: &str| {
            Request::get(path)
                .header("origin", origin)
                .header("host", "push.example")
                .body(Body::empty())
                .unwrap()
        };
        let evil = app.send(from("https://evil.example")).await;
        assert_eq!(
            (evil.status.as_u16(), &evil.json()["code"]),
            (403, &json!("origin_not_allowed")),
            "{path}"
        );
        assert!(!evil.headers.contains_key("access-control-allow-origin"));
    }
    let good = Request::get("/health").header("origin", "https://shop.example").body(Body::empty()).unwrap();
    let good = app.send(good).await;
    assert_eq!(good.status, 200);
    assert_eq!(good.headers["access-control-allow-origin"], "https://shop.example");
    assert_eq!(good.headers["access-control-expose-headers"], "x-request-id,retry-after");
}

/// Goal: publishers' short way past the router answers as the router does. Method: the same requests with an origin, which
/// take the long way, and without.
#[tokio::test(start_paused = true)]
async fn a_publisher_without_an_origin_is_answered_as_one_with() {
    let app = TestApp::start().await;
    let batch = format!(r#"{{"events":[{GOOD},{GOOD}]}}"#);
    let good = [("x-api-key", KEY), ("content-type", "application/json"), ("x-request-id", "r-1")];
    let table: Vec<(&str, &[_], &str, u16)> = vec![
        ("/api/notify", &good, GOOD, 202),
        ("/api/notify", &good, &batch, 202),
        ("/api/notify/batch", &good, &batch, 202),
        ("/api/notify/batch", &good, GOOD, 422),
        ("/api/notify", &good, "{", 400),
        ("/api/notify", &good[..1], GOOD, 415),
        ("/api/notify", &good[1..], GOOD, 401),
        ("/api/notify?api_key=k", &good[1..], GOOD, 401),
        ("/api/notify/", &good, GOOD, 404),
    ];
    for (path, headers, body, status) in table {
        let ask = |origin: Option<&'static str>| {
            let mut request = Request::post(path);
            for (name, value) in headers.iter().copied().chain(origin.map(|origin| ("origin", origin))) {
                request = request.header(name, value);
            }
            app.send(request.body(Body::from(body.to_owned())).unwrap())
        };
        let (long, short) = (ask(Some("http://localhost:3009")).await, ask(None).await);
        let told = |answer: &Answer| {
            let mut said = answer.json();
            // Each append has a cursor of its own, and a request without an id is given one.
            said.as_object_mut().unwrap().retain(|name, _| !["cursor", "requestId"].contains(&name.as_str()));
            (answer.status.as_u16(), said)
        };
        assert_eq!(told(&short), told(&long), "{path} {body}");
        assert_eq!(short.status, status, "{path} {body}");
        for name in ["content-type", "cache-control", "www-authenticate"] {
            assert_eq!(short.headers.get(name), long.headers.get(name), "{name} of {path} {body}");
        }
        assert!(short.headers["vary"].to_str().unwrap().starts_with("origin"), "{path} {body}");
        assert!(short.headers.contains_key("x-request-id"), "{path} {body}");
    }
    let get = app.get("/api/notify").await;
    assert_eq!((get.status.as_u16(), &get.json()["code"]), (405, &json!("method_not_allowed")));
}

/// Goal: what is escaped says what it would say plain. Method: an event spelt both ways, with one id; the answer's fields.
#[tokio::test(start_paused = true)]
async fn an_event_with_escapes_is_the_same_event() {
    let app = TestApp::start().await;
    let plain = r#"{"productId":"p1","type":"price_update","data":{},"eventId":"e1","timestamp":"2026-01-31T12:00:00Z"}"#;
    let escaped = r#"{"productId":"p\u0031","type":"price\u005fupdate","data":{},"eventId":"\u0065\u0031","timestamp":"2026-01-31T12:00:00\u005a"}"#;
    let (first, again) = (app.post(plain, &[]).await, app.post(escaped, &[]).await);
    let cursor = &first.json()["cursor"];
    assert_eq!(first.json(), json!({"accepted": 1, "duplicates": 0, "cursor": cursor, "duplicate": false}));
    assert_eq!(again.json(), json!({"accepted": 0, "duplicates": 1, "cursor": cursor, "duplicate": true}));
}

/// Goal: what is known by one name only is found however that is spelt. Method: the name of the list with an escape in it.
#[tokio::test(start_paused = true)]
async fn a_list_is_found_by_a_name_with_escapes() {
    let app = TestApp::start().await;
    for name in ["events", r"event\u0073", r"\u0065vents"] {
        let answer = app.post(format!(r#"{{"{name}":[{GOOD},{GOOD}]}}"#), &[]).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["accepted"]), (202, &json!(2)), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_as_it_left_a_gateway_is_a_list() {
    let app = TestApp::start().await;
    let batch =
        format!(r#"{{"productId":"p1","events":[{GOOD}],"timestamp":"2026-01-01T00:00:00.000Z","count":1}}"#);
    let answer = app.post(batch, &[]).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["accepted"]), (202, &json!(1)));
}
