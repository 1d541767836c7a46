//! S22, S25: questions that anybody may ask, however often, cost next to nothing and tell nothing.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use serde_json::json;
use shelfcast::{
    eventlog::{
        Append, AppendError, Appended, EventLog, Head, InputGap, LeaseToken, LogError, MemoryLog, Tail,
        snapshots::{Fired, Observed, Sightings},
    },
    model::Position,
};
use tokio::time::{Instant, sleep};

use crate::support::{TestApp, config, memory_log};

/// The names and labels of all series, without their figures.
async fn series(app: &TestApp) -> BTreeSet<String> {
    let text = app.get("/metrics").await.text;
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| line.rsplit_once(' ').unwrap().0.to_owned()).collect()
}

/// Goal (S22): nobody fills the memory of whoever scrapes. Method: 10,000 products and other texts of strangers, then
/// count the series.
#[tokio::test(start_paused = true)]
async fn ten_thousand_products_make_no_new_series() {
    let app = TestApp::start().await;
    app.price("first", 1).await;
    let _stream = app.stream("products=first").await;
    let before = series(&app).await;
    for request in 0..20 {
        let event = |i| json!({"productId": format!("p{request}-{i}"), "type": "price_update", "data": {}});
        let events: Vec<_> = (0..500).map(event).collect();
        let key = format!("key-{request}");
        let answer = app.post(json!({ "events": events }).to_string(), &[("idempotency-key", &key)]).await;
        assert_eq!(answer.status, 202);
        let ids: Vec<_> = (0..200).map(|i| format!("p{request}-{i}")).collect();
        drop(
            app.resume(
                &format!("products={}&x={request}", ids.join(",")),
                Some(&format!("epoch{request}00.{request}")),
            )
            .await,
        );
    }
    sleep(Duration::from_secs(6)).await;
    assert_eq!(series(&app).await, before);
}

/// A log that counts what it is asked.
#[derive(Debug)]
struct CountedLog {
    log: MemoryLog,
    asked: AtomicU64,
}

#[async_trait]
impl EventLog for CountedLog {
    async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.log.append(append).await
    }

    async fn append_gap(&self, gap: InputGap) -> Result<Position, AppendError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.log.append_gap(gap).await
    }

    async fn observe(&self, sightings: Sightings) -> Result<Observed, AppendError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.log.observe(sightings).await
    }

    async fn fire_sales(&self, lease: Option<LeaseToken>) -> Result<Fired, AppendError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.log.fire_sales(lease).await
    }

    async fn head(&self) -> Result<Head, LogError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.log.head().await
    }

    fn tail(&self, after: Position) -> Box<dyn Tail> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.log.tail(after)
    }
}

/// Goal (S25): health cannot be used to load Redis. Method: ask 4,000 times in one instant; the log hears nothing of it.
#[tokio::test(start_paused = true)]
async fn asking_for_health_asks_nobody_else() {
    let log = Arc::new(CountedLog { log: memory_log(&config(&[])), asked: AtomicU64::new(0) });
    let app = TestApp::on(Arc::clone(&log) as _).await;
    sleep(Duration::from_secs(1)).await;
    let (before, start) = (log.asked.load(Ordering::SeqCst), Instant::now());
    for _ in 0..1_000 {
        for path in ["/health", "/health/live", "/health/ready", "/metrics"] {
            assert_eq!(app.get(path).await.status, 200);
        }
    }
    assert_eq!(start.elapsed(), Duration::ZERO, "answered without waiting for anything");
    assert_eq!(log.asked.load(Ordering::SeqCst), before);
    // It is no blind counter: the watch of the head and the sale timer ask by themselves, at their own pace.
    sleep(Duration::from_secs(10)).await;
    assert!((1..=100).contains(&(log.asked.load(Ordering::SeqCst) - before)));
}
