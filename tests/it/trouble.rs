//! A log in trouble: what publishers are told, what health says, and that a dead part ends the process.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use serde_json::json;
use shelfcast::eventlog::{
    Append, AppendError, Appended, EventLog, Head, InputGap, LeaseToken, LogError, MemoryLog, Tail, Tailed,
    snapshots::{Fired, Observed, Sightings},
};
use shelfcast::model::Position;
use tokio::{net::TcpListener, time::sleep};

use crate::support::{TestApp, config, memory_log};

/// A good log with one thing wrong.
#[derive(Debug)]
struct BadLog {
    log: MemoryLog,
    trouble: AtomicU8,
}

#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(u8)]
enum Trouble {
    None,
    Overloaded,
    Unavailable,
    /// The head moves, but nothing can be read.
    Stalled,
    /// Reading panics.
    Poisoned,
}

impl BadLog {
    fn new() -> Arc<Self> {
        Arc::new(Self { log: memory_log(&config(&[])), trouble: AtomicU8::new(Trouble::None as u8) })
    }

    fn set(&self, trouble: Trouble) {
        self.trouble.store(trouble as u8, Ordering::SeqCst);
    }

    fn has(&self, trouble: Trouble) -> bool {
        self.trouble.load(Ordering::SeqCst) == trouble as u8
    }
}

/// A tail that knows the trouble of its log.
#[derive(Debug)]
struct BadTail {
    log: Arc<BadLog>,
    tail: Box<dyn Tail>,
}

#[async_trait]
impl Tail for BadTail {
    async fn next(&mut self) -> Result<Tailed, LogError> {
        while self.log.has(Trouble::Stalled) {
            sleep(Duration::from_millis(50)).await;
        }
        let next = self.tail.next().await;
        assert!(!self.log.has(Trouble::Poisoned), "a panic that a test asked for");
        next
    }
}

/// The log as the gateway holds it: its tails know of the trouble.
#[derive(Debug)]
struct Shared(Arc<BadLog>);

#[async_trait]
impl EventLog for Shared {
    async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        let retry_after = Duration::from_millis(2_500);
        if self.0.has(Trouble::Overloaded) {
            return Err(AppendError::Overloaded { retry_after });
        }
        if self.0.has(Trouble::Unavailable) {
            return Err(AppendError::Unavailable { retry_after });
        }
        self.0.log.append(append).await
    }

    async fn append_gap(&self, gap: InputGap) -> Result<Position, AppendError> {
        self.0.log.append_gap(gap).await
    }

    async fn observe(&self, sightings: Sightings) -> Result<Observed, AppendError> {
        self.0.log.observe(sightings).await
    }

    async fn fire_sales(&self, lease: Option<LeaseToken>) -> Result<Fired, AppendError> {
        self.0.log.fire_sales(lease).await
    }

    async fn head(&self) -> Result<Head, LogError> {
        if self.0.has(Trouble::Unavailable) { Err(LogError) } else { self.0.log.head().await }
    }

    fn tail(&self, after: Position) -> Box<dyn Tail> {
        Box::new(BadTail { log: Arc::clone(&self.0), tail: self.0.log.tail(after) })
    }
}

const EVENT: &str = r#"{"productId":"p1","type":"price_update","data":{"newPrice":1}}"#;

#[tokio::test(start_paused = true)]
async fn a_log_that_takes_nothing_is_told_with_a_time_to_come_again() {
    let log = BadLog::new();
    let app = TestApp::on(Arc::new(Shared(Arc::clone(&log)))).await;
    for (trouble, code) in [(Trouble::Overloaded, "overloaded"), (Trouble::Unavailable, "log_unavailable")] {
        log.set(trouble);
        let answer = app.post(EVENT, &[]).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (503, &json!(code)));
        assert_eq!(answer.headers["retry-after"], "2");
    }
    log.set(Trouble::None);
    assert_eq!(app.post(EVENT, &[]).await.status, 202);
}

#[tokio::test(start_paused = true)]
async fn a_pod_without_its_log_is_degraded_but_stays_ready() {
    let log = BadLog::new();
    let app = TestApp::on(Arc::new(Shared(Arc::clone(&log)))).await;
    sleep(Duration::from_secs(1)).await;
    log.set(Trouble::Unavailable);
    sleep(Duration::from_secs(1)).await;
    let health = app.get("/health").await;
    assert_eq!((health.status.as_u16(), &health.json()["status"]), (200, &json!("degraded")));
    assert_eq!(app.get("/health/ready").await.status, 200, "or all would leave at once");
    assert_eq!(app.metric(r#"shelfcast_health_state{state="log_away"}"#).await, 1.0);
    log.set(Trouble::None);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(app.get("/health").await.json()["status"], "healthy");
    assert_eq!(app.metric(r#"shelfcast_health_state{state="log_away"}"#).await, 0.0);
    assert_eq!(app.metric(r#"shelfcast_health_state{state="ready"}"#).await, 1.0);
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_does_not_follow_its_log_is_not_ready() {
    let log = BadLog::new();
    let app = TestApp::on(Arc::new(Shared(Arc::clone(&log)))).await;
    log.set(Trouble::Stalled);
    // The batcher waits in its tail already, so the first event still gets through and the next does not.
    for _ in 0..2 {
        app.price("p1", 1).await;
        sleep(Duration::from_millis(400)).await;
    }
    assert_eq!(app.get("/health/ready").await.status, 200, "not at once");
    sleep(Duration::from_secs(4)).await;
    assert_eq!(app.get("/health/ready").await.status, 503);
    assert_eq!(app.get("/health/live").await.status, 200);
    assert_eq!(app.metric(r#"shelfcast_health_state{state="lagging"}"#).await, 1.0);
    assert!(app.metric("shelfcast_log_behind_events").await >= 1.0);
    log.set(Trouble::None);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(app.get("/health/ready").await.status, 200);
    assert_eq!(app.metric("shelfcast_log_behind_events").await, 0.0);
}

/// Goal: a gateway that can no longer deliver does not go on answering. Method: the batcher panics under a real server.
#[tokio::test]
async fn a_dead_part_ends_the_gateway() {
    let log = BadLog::new();
    let app = TestApp::app_on(Arc::new(Shared(Arc::clone(&log)))).await;
    log.set(Trouble::Poisoned);
    let router = app.router();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let running = app.run(listener, None, std::future::pending());
    let post = async {
        let answer = crate::support::post_to(router, EVENT).await;
        assert_eq!(answer.status, 202);
        std::future::pending::<()>().await
    };
    let ended = tokio::select! { ended = running => ended, () = post => unreachable!("it waits") };
    assert_eq!(ended.unwrap_err().to_string(), "the task `batcher` ended");
}
