//! `spreadMs` as clients see it (contract section 8).

use std::time::Duration;

use tokio::time::sleep;

use crate::support::{Stream, TestApp};

async fn streams(app: &TestApp, count: usize) -> Vec<Stream> {
    let mut streams = Vec::new();
    for _ in 0..count {
        streams.push(app.stream("products=p1&features=resync").await);
    }
    streams
}

async fn spread_ms(app: &TestApp, stream: &mut Stream) -> u64 {
    app.price("p1", 1).await;
    stream.batch().await.data["spreadMs"].as_u64().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_hundred_viewers_refetch_at_the_pace_of_the_budget() {
    let app = TestApp::with(&[("ORIGIN_RPS_BUDGET", "50")]).await;
    let mut streams = streams(&app, 100).await;
    assert_eq!(spread_ms(&app, &mut streams[0]).await, 2_000);
    let metrics = app.get("/metrics").await.text;
    assert!(metrics.lines().any(|line| line == "shelfcast_refetch_queue_seconds 2"), "{metrics}");
    sleep(Duration::from_secs(30)).await;
    streams.pop();
    assert_eq!(spread_ms(&app, &mut streams[0]).await, 0);
}

#[tokio::test(start_paused = true)]
async fn without_a_budget_a_batch_is_not_spread() {
    let app = TestApp::start().await;
    let mut streams = streams(&app, 100).await;
    assert_eq!(spread_ms(&app, &mut streams[0]).await, 0);
}
