//! `spreadMs` as clients see it (contract section 8).

use std::{sync::Arc, time::Duration};

use shelfcast::redis::{Board, Keys, Posted, RedisConfig};
use tokio::time::{sleep, timeout};

use crate::support::{RedisServer, Stream, TestApp};

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

/// Waits until a pod knows of so many viewers elsewhere.
async fn knows_of(app: &TestApp, viewers: usize) {
    let line = format!("shelfcast_viewers_elsewhere {viewers}");
    let known = async {
        while !app.get("/metrics").await.text.lines().any(|l| l == line) {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_secs(20), known).await.unwrap_or_else(|_| panic!("never: {line}"));
}

/// Goal: two pods together ask the origin for what its budget allows.
#[tokio::test]
async fn pods_share_the_budget_and_know_of_each_others_viewers() {
    let redis = RedisServer::start();
    let settings = &[("ORIGIN_RPS_BUDGET", "100")];
    let (a, b) = (TestApp::pod_with(&redis, settings).await, TestApp::pod_with(&redis, settings).await);
    let (mut here, mut there) = (streams(&a, 75).await, streams(&b, 25).await);
    knows_of(&a, 25).await;
    knows_of(&b, 75).await;

    let first = spread_ms(&a, &mut here[0]).await;
    assert_eq!(first, 1_000, "75 viewers, three quarters of 100 a second");
    assert_eq!(there[0].batch().await.data["spreadMs"], 1_000, "25 viewers, a quarter");
}

#[tokio::test]
async fn what_a_pod_put_up_is_read_by_the_others_until_it_is_silent() {
    let server = RedisServer::start();
    let keys = Keys::new("shelfcast", "");
    let client = Arc::new(RedisConfig::new(&server.url(), keys.clone()).unwrap().client().unwrap());
    client.connected().await.unwrap();
    let silent_after = Duration::from_secs(1);
    let [a, b, c] = [(); 3].map(|()| Board::new(Arc::clone(&client), &keys, silent_after));
    let texts = |posted: Vec<Posted>| {
        assert!(posted.iter().all(|p| p.age < silent_after));
        let mut texts: Vec<_> = posted.into_iter().map(|p| p.text).collect();
        texts.sort();
        texts
    };

    assert_eq!(texts(a.exchange("a1".into()).await.unwrap()), [""; 0]);
    assert_eq!(texts(b.exchange("b1".into()).await.unwrap()), ["a1"]);
    assert_eq!(texts(a.exchange("a2".into()).await.unwrap()), ["b1"]);
    assert_eq!(texts(c.exchange("c1".into()).await.unwrap()), ["a2", "b1"]);
    sleep(Duration::from_millis(600)).await;
    assert_eq!(texts(a.exchange("a3".into()).await.unwrap()), ["b1", "c1"]);
    sleep(Duration::from_millis(600)).await;
    assert_eq!(texts(b.exchange("b2".into()).await.unwrap()), ["a3"], "c was silent for more than a second");
    sleep(Duration::from_millis(1_200)).await;
    assert_eq!(server.command(&["KEYS", "*"]), "*0\r\n", "nothing stays");
}
