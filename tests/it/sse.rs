//! Server-Sent Events, and through them batching, resume and drain as a client sees them.

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::support::{Block, TestApp};

fn ids(block: &Block) -> (&str, &str) {
    (block.text("previousCursor"), block.text("cursor"))
}

#[tokio::test(start_paused = true)]
async fn a_stream_opens_with_a_retry_time_and_a_position() {
    let app = TestApp::start().await;
    let mut stream = app.stream("products=p1").await;
    let first = stream.next().await.unwrap();
    assert!((1_000..3_000).contains(&first.retry.unwrap()));
    assert!(first.id.unwrap().ends_with(".0"));
    assert_eq!((first.event, first.data), (None, json!(null)));
}

#[tokio::test(start_paused = true)]
async fn the_answer_may_not_be_stored_or_buffered() {
    let app = TestApp::start().await;
    let request =
        axum::http::Request::get("/api/events?products=p1").body(axum::body::Body::empty()).unwrap();
    let headers = app.head(request).await;
    assert_eq!(headers["content-type"], "text/event-stream");
    assert_eq!(headers["cache-control"], "no-store");
    assert_eq!(headers["x-accel-buffering"], "no");
}

#[tokio::test(start_paused = true)]
async fn changes_of_one_window_come_as_one_batch() {
    let app = TestApp::start().await;
    let mut stream = app.stream("products=p1,p2").await;
    let begin = Instant::now();
    let one = app.price("p1", 1).await;
    sleep(Duration::from_millis(200)).await;
    let two = app.price("p1", 2).await;
    let batch = stream.batch().await;
    assert_eq!(begin.elapsed().as_millis(), 300, "the second change did not push the window back");
    assert_eq!(batch.count(), 2);
    assert_eq!(batch.id.as_deref(), Some(two.as_str()));
    assert_eq!(ids(&batch), (format!("{}.0", one.split_once('.').unwrap().0).as_str(), two.as_str()));
    app.price("p1", 3).await;
    assert_eq!(stream.batch().await.text("previousCursor"), two);
    assert!(stream.is_quiet().await);
}

#[tokio::test(start_paused = true)]
async fn a_batch_looks_as_documented() {
    let app = TestApp::start().await;
    let mut stream = app.stream("products=p1").await;
    let body = r#"{"productId":"p1","type":"price_update","timestamp":"2026-01-01T00:00:00+01:00","extra":1,
        "data": { "oldPrice": 1.50, "name": "Käse \u00e9 \n", "big": 12345678901234567890 } }"#;
    assert_eq!(app.post(body, &[]).await.status, 202);
    let batch = stream.batch().await;
    let epoch = batch.text("cursor").split_once('.').unwrap().0.to_owned();
    insta::assert_snapshot!(batch.data.to_string().replace(&epoch, "EPOCH"));
}

/// Goal: data leaves byte for byte. Method: the raw text of the stream, not its parsed form.
#[tokio::test(start_paused = true)]
async fn data_is_passed_through_byte_for_byte_but_for_white_space() {
    let app = TestApp::start().await;
    let mut stream = app.stream("products=p1").await;
    let data = r#"{"a":1.50,"b":12345678901234567890,"c":"\u00e9 \n \"","d":[1e5,-0.0],"a":2}"#;
    let spaced = data.replace(',', " ,\r\n\t ");
    let body = format!(r#"{{"productId":"p1","type":"sale_update","data":{spaced}}}"#);
    assert_eq!(app.post(body, &[]).await.status, 202);
    let raw = stream.raw_until(r#""type":"sale_update""#).await;
    assert!(raw.contains(&format!(r#""data":{data},"#)), "{raw}");
}

#[tokio::test(start_paused = true)]
async fn with_a_leading_edge_the_first_change_comes_at_once() {
    let app = TestApp::with(&[("BATCH_EDGE", "leading")]).await;
    let mut stream = app.stream("products=p1").await;
    let begin = Instant::now();
    app.price("p1", 1).await;
    assert_eq!((stream.batch().await.count(), begin.elapsed().as_millis()), (1, 0));
    app.price("p1", 2).await;
    app.price("p1", 3).await;
    assert_eq!((stream.batch().await.count(), begin.elapsed().as_millis()), (2, 300));
}

#[tokio::test(start_paused = true)]
async fn a_hundred_events_of_one_request_are_one_batch_and_one_more_is_two() {
    let app = TestApp::start().await;
    let mut stream = app.stream("products=p1").await;
    let event = json!({"productId": "p1", "type": "inventory_update", "data": {"currentStock": 1}});
    let begin = Instant::now();
    app.post(json!({"events": vec![&event; 100]}).to_string(), &[]).await;
    assert_eq!(
        (stream.batch().await.count(), begin.elapsed().as_millis()),
        (100, 0),
        "a full window leaves at once"
    );
    app.post(json!({"events": vec![&event; 101]}).to_string(), &[]).await;
    assert_eq!((stream.batch().await.count(), stream.batch().await.count()), (100, 1));
}

#[tokio::test(start_paused = true)]
async fn only_what_was_asked_for_comes() {
    let app = TestApp::start().await;
    let mut stream = app.stream("products=p1").await;
    app.price("p2", 1).await;
    assert!(stream.is_quiet().await);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_comes_back_gets_what_it_missed() {
    let app = TestApp::start().await;
    let mut stream = app.stream("products=p1,p2").await;
    app.price("p1", 1).await;
    let last = stream.batch().await.id.unwrap();
    drop(stream);
    let two = app.price("p1", 2).await;
    let other = app.price("p2", 3).await;
    sleep(Duration::from_secs(1)).await;

    let mut stream = app.resume("products=p1,p2", Some(&last)).await;
    assert_eq!(
        stream.next().await.unwrap().id.as_deref(),
        Some(last.as_str()),
        "its own position until it has all"
    );
    let (one, another) = (stream.batch().await, stream.batch().await);
    assert_eq!((one.text("cursor"), another.text("cursor")), (two.as_str(), other.as_str()));
    assert_eq!((&one.data["replay"], &one.id), (&json!(true), &None));
    assert_eq!(one.text("previousCursor"), last);
    assert_eq!(stream.next().await.unwrap().id.as_deref(), Some(other.as_str()), "now it has all");
    assert!(stream.is_quiet().await);
}

#[tokio::test(start_paused = true)]
async fn the_position_stands_below_a_window_that_is_still_open() {
    let app = TestApp::start().await;
    let mut stream = app.stream("products=p1,p2").await;
    let waiting = app.price("p2", 1).await;
    let event = json!({"productId": "p1", "type": "sale_update", "data": {}});
    app.post(json!({"events": vec![&event; 100]}).to_string(), &[]).await;
    let full = stream.batch().await;
    let covered = full.id.clone().unwrap();
    assert!(covered.ends_with(".0"), "{waiting} has not left yet, so {covered} may not cover it");
    drop(stream);
    let mut stream = app.resume("products=p2", Some(&covered)).await;
    assert_eq!(stream.batch().await.text("cursor"), waiting);
}

#[tokio::test(start_paused = true)]
async fn positions_that_mean_nothing_here_are_answered_with_a_word_to_refetch() {
    let app = TestApp::start().await;
    let epoch = app.price("p1", 1).await.split_once('.').unwrap().0.to_owned();
    sleep(Duration::from_secs(1)).await;
    for (last, reason) in [
        ("zzzzzzzz.1".to_owned(), "log_reset"),
        ("garbage".into(), "expired"),
        ("9007199254740993".into(), "expired"),
        (format!("{epoch}.999"), "gap"),
    ] {
        let mut announced = app.resume("products=p1,p9&features=resync", Some(&last)).await;
        announced.next().await;
        let word = announced.next().await.unwrap();
        assert_eq!(word.event.as_deref(), Some("resync_required"), "{last}");
        assert_eq!((word.text("reason"), &word.data["productIds"]), (reason, &json!(["p1", "p9"])), "{last}");
        assert_eq!(announced.next().await.unwrap().event.as_deref(), Some("position"));

        let mut plain = app.resume("products=p1,p9", Some(&last)).await;
        for id in ["p1", "p9"] {
            let empty = plain.batch().await;
            assert_eq!((empty.text("productId"), empty.count()), (id, 0));
            assert_eq!(ids(&empty).0, ids(&empty).1);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_was_away_too_long_is_told_to_refetch() {
    let app = TestApp::with(&[("LOG_RETENTION_SECS", "60")]).await;
    let mut stream = app.stream("products=p1&features=resync").await;
    let opened = stream.next().await.unwrap().id.unwrap();
    drop(stream);
    app.price("p1", 1).await;
    sleep(Duration::from_secs(70)).await;
    let mut stream = app.resume("products=p1&features=resync", Some(&opened)).await;
    stream.next().await;
    assert_eq!(stream.next().await.unwrap().text("reason"), "expired");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_missed_two_full_batches_gets_them_and_one_event_more_is_a_refetch() {
    let app = TestApp::start().await;
    let event = json!({"productId": "p1", "type": "inventory_update", "data": {"currentStock": 1}});
    let opened = app.stream("products=p1").await.next().await.unwrap().id.unwrap();
    app.post(json!({"events": vec![&event; 200]}).to_string(), &[]).await;
    sleep(Duration::from_secs(1)).await;
    let mut stream = app.resume("products=p1&features=resync", Some(&opened)).await;
    assert_eq!((stream.batch().await.count(), stream.batch().await.count()), (100, 100));
    app.price("p1", 1).await;
    sleep(Duration::from_secs(1)).await;
    let mut stream = app.resume("products=p1&features=resync", Some(&opened)).await;
    stream.next().await;
    assert_eq!(stream.next().await.unwrap().event.as_deref(), Some("resync_required"));
}

#[tokio::test(start_paused = true)]
async fn heartbeats_tell_the_covered_position() {
    let app = TestApp::start().await;
    let (mut plain, mut announced) =
        (app.stream("products=p1").await, app.stream("products=p1&features=resync").await);
    let (_, _) = (plain.next().await, announced.next().await);
    let cursor = app.price("p1", 1).await;
    assert_eq!(plain.batch().await.id.as_deref(), Some(cursor.as_str()));
    let begin = Instant::now();
    let beat = plain.next().await.unwrap();
    assert_eq!((beat.event, beat.id.as_deref()), (None, Some(cursor.as_str())));
    assert!(begin.elapsed() <= Duration::from_secs(15));
    announced.batch().await;
    let beat = announced.next().await.unwrap();
    assert_eq!(beat.data, json!({"cursor": cursor, "products": {"p1": cursor}}));
}

#[tokio::test(start_paused = true)]
async fn bad_subscriptions_are_refused() {
    let app = TestApp::start().await;
    let many = (0..201).map(|i| format!("p{i}")).collect::<Vec<_>>().join(",");
    let long = format!("products=p1&x={}", "y".repeat(16 * 1024));
    for (query, status, code) in [
        ("", 400, "bad_request"),
        ("products=", 400, "bad_request"),
        ("products=,,", 400, "bad_request"),
        ("products=a%20b", 400, "invalid_product_id"),
        ("products=a%0Ab", 400, "invalid_product_id"),
        (&format!("products={many}"), 400, "too_many_products"),
        (&long, 414, "uri_too_long"),
    ] {
        let answer = app.get(&format!("/api/events?{query}")).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (status, &json!(code)), "{answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_accepted_leaves_before_a_draining_gateway_does() {
    let app = TestApp::start().await;
    let mut stream = app.stream("products=p1,p2").await;
    stream.next().await;
    app.price("p1", 1).await;
    app.price("p2", 2).await;
    app.drain().await;
    assert_eq!((stream.batch().await.count(), stream.batch().await.count()), (1, 1));
    assert_eq!(stream.next().await, None, "then the stream ends");
    assert_eq!(app.get("/health/ready").await.status, 503);
    assert_eq!(app.get("/health/live").await.status, 200);
}
