//! Sales that begin and end by themselves: what a shopper hears, and when.

use std::time::Duration;

use shelfcast::{
    eventlog::snapshots::{Sighting, Sightings},
    model::LogTime,
};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    observed::on_sale,
    support::{Block, RedisServer, Stream, TestApp},
};

/// A shop shows this pod a product with a sale from so many milliseconds from now, for so many.
pub(crate) async fn plan(app: &TestApp, starts_in_ms: i64, lasts_ms: i64) {
    let now = app.gate().clock().now();
    let later = |ms: i64| LogTime::from_micros(now.micros() + ms * 1_000);
    let product = on_sale(later(starts_in_ms), later(starts_in_ms + lasts_ms));
    let sightings = vec![Sighting::Shown(Box::new(product))];
    app.gate().observe(Sightings { request: None, events: Vec::new(), sightings, now }).await.unwrap();
}

/// The one event of the next batch: its type, and whether the sale is on.
async fn next(stream: &mut Stream) -> (String, Option<bool>) {
    let block: Block = stream.batch().await;
    assert_eq!(block.count(), 1, "{block:?}");
    let event = &block.data["events"][0];
    (event["type"].as_str().unwrap().to_owned(), event["data"]["active"].as_bool())
}

fn sale(active: bool) -> (String, Option<bool>) {
    ("sale_update".to_owned(), Some(active))
}

/// How long after its instant a sale is told: the timer's pace, the batching window, and a little.
const TOLD_WITHIN: Duration = Duration::from_millis(1_000);

#[tokio::test(start_paused = true)]
async fn a_sale_is_told_when_it_begins_and_when_it_ends() {
    let app = TestApp::start().await;
    let mut stream = app.stream("products=shirt").await;
    let begin = Instant::now();
    plan(&app, 60_000, 3_600_000).await;
    assert_eq!(next(&mut stream).await.0, "product_update");
    for (active, after) in [(true, 60), (false, 3_660)] {
        assert_eq!(next(&mut stream).await, sale(active));
        let late = begin.elapsed().checked_sub(Duration::from_secs(after)).expect("not before its time");
        assert!(late < TOLD_WITHIN, "{late:?}");
    }
    let text = app.get("/metrics").await.text;
    for line in [
        "shelfcast_sightings_total{outcome=\"changed\"} 1",
        "shelfcast_sale_boundaries 0",
        "shelfcast_sale_boundaries_fired_total 2",
        "shelfcast_events_appended_total 3",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
    }
}

#[tokio::test]
async fn of_two_pods_one_tells_of_a_sale() {
    let server = RedisServer::start();
    let (one, two) = tokio::join!(TestApp::pod(&server), TestApp::pod(&server));
    let mut streams = [one.stream("products=shirt").await, two.stream("products=shirt").await];
    // Until one of them holds the lease.
    sleep(Duration::from_secs(2)).await;
    plan(&two, 1_000, 1_500).await;
    for stream in &mut streams {
        assert_eq!(next(stream).await.0, "product_update");
        assert_eq!(next(stream).await, sale(true));
        assert_eq!(next(stream).await, sale(false));
        let more = timeout(Duration::from_secs(1), stream.batch()).await;
        assert!(more.is_err(), "told twice: {more:?}");
    }
}

/// Goal: a deploy in the middle of the night loses no sale. Method: whoever knew of the sale is gone, and Redis was started
/// again with its file, when the sale begins.
#[tokio::test]
async fn a_sale_outlives_the_pod_that_heard_of_it() {
    let mut server = RedisServer::with(&["--appendonly", "yes", "--appendfsync", "always"]);
    let one = TestApp::pod(&server).await;
    plan(&one, 1_000, 600_000).await;
    one.drain().await;
    drop(one);
    server.restart();
    sleep(Duration::from_millis(1_000)).await;
    let two = TestApp::pod(&server).await;
    let mut stream = two.stream("products=shirt&features=resync").await;
    let told = loop {
        let block = timeout(Duration::from_secs(10), stream.next()).await.expect("nothing came").unwrap();
        if block.event.as_deref() == Some("batched_product_update") {
            break block;
        }
    };
    assert_eq!(told.data["events"][0]["data"]["active"], true, "{told:?}");
}
