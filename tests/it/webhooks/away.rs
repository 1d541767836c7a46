//! Deliveries while the log takes nothing: who sends again is told to, who never does is waited with, and what had to be
//! refused is told later.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
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
    ingest::webhooks::Secrets,
    model::Position,
};
use tokio::time::{Instant, sleep, timeout};

use super::{appended, deliver, figure, outcome, told};
use crate::support::{Answer, RedisServer, TestApp, config, memory_log};

const SECRET: &str = "4fQmZ0xXr8VtB2nLk7Wd6yHs";
const SHOPIFY_SECRET: &str = "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";
const AWAY: AppendError = AppendError::Unavailable { retry_after: Duration::from_secs(2) };

/// A log that takes nothing for a while.
#[derive(Debug)]
struct Log {
    log: MemoryLog,
    away: AtomicBool,
}

#[async_trait]
impl EventLog for Log {
    async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        if self.away.load(Ordering::SeqCst) { Err(AWAY) } else { self.log.append(append).await }
    }

    async fn append_gap(&self, gap: InputGap) -> Result<Position, AppendError> {
        if self.away.load(Ordering::SeqCst) { Err(AWAY) } else { self.log.append_gap(gap).await }
    }

    async fn observe(&self, sightings: Sightings) -> Result<Observed, AppendError> {
        if self.away.load(Ordering::SeqCst) { Err(AWAY) } else { self.log.observe(sightings).await }
    }

    async fn fire_sales(&self, lease: Option<LeaseToken>) -> Result<Fired, AppendError> {
        self.log.fire_sales(lease).await
    }

    async fn head(&self) -> Result<Head, LogError> {
        self.log.head().await
    }

    fn tail(&self, after: Position) -> Box<dyn Tail> {
        self.log.tail(after)
    }
}

/// A gateway whose log is away, and the way to bring it back.
async fn away() -> (Arc<TestApp>, Arc<Log>) {
    let log = Arc::new(Log { log: memory_log(&config(&[])), away: AtomicBool::new(true) });
    let settings = [("WC_WEBHOOK_SECRET", SECRET), ("SHOPIFY_WEBHOOK_SECRET", SHOPIFY_SECRET)];
    let app = TestApp::on_with(Arc::clone(&log) as Arc<dyn EventLog>, &settings).await;
    (Arc::new(app), log)
}

fn product(id: u32) -> String {
    format!(r#"{{"id":{id},"type":"simple","status":"publish","name":"Shirt","price":"9.90"}}"#)
}

async fn send(app: &TestApp, topic: &str, body: &str) -> Answer {
    let signature = Secrets::new([SECRET]).sign(&[body.as_bytes()]).unwrap().to_base64();
    let headers = [("x-wc-webhook-topic", topic), ("x-wc-webhook-signature", &signature)];
    deliver(app, "/api/webhooks/woocommerce", &headers, body.to_owned()).await
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_never_comes_again_waits_for_the_log() {
    let (app, log) = away().await;
    let mut stream = app.stream("products=794").await;
    let back = async {
        sleep(Duration::from_secs(30)).await;
        assert_eq!(figure(&app, "shelfcast_webhook_deliveries_parked").await, 1);
        log.away.store(false, Ordering::SeqCst);
    };
    let body = product(794);
    let (answer, ()) = tokio::join!(send(&app, "product.updated", &body), back);
    assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({"ok": true})));
    assert_eq!(told(&mut stream).await[0].1["price"], 9.9);
    assert_eq!((outcome(&app, "woocommerce", "accepted").await, appended(&app).await), (1, 1));
    assert_eq!(figure(&app, "shelfcast_webhook_deliveries_parked").await, 0);
}

/// Goal: who sends again is told so, in time for its own patience of 5 s.
#[tokio::test(start_paused = true)]
async fn a_delivery_that_comes_again_is_refused_at_once() {
    let (app, _log) = away().await;
    let body = r#"{"id":1,"status":"active"}"#;
    let signature = Secrets::new([SHOPIFY_SECRET]).sign(&[body.as_bytes()]).unwrap().to_base64();
    let headers = [
        ("x-shopify-hmac-sha256", signature.as_str()),
        ("x-shopify-topic", "products/update"),
        ("x-shopify-webhook-id", "w1"),
    ];
    let sent = Instant::now();
    let answer = deliver(&app, "/api/webhooks/shopify", &headers, body).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (503, &json!("log_unavailable")));
    assert!(sent.elapsed() < Duration::from_secs(1) && answer.headers.contains_key("retry-after"));
    assert_eq!(outcome(&app, "shopify", "unavailable").await, 1);
}

#[tokio::test(start_paused = true)]
async fn what_had_to_be_refused_is_told_when_the_log_is_back() {
    let (app, log) = away().await;
    let mut stream = app.stream("products=794").await;
    let sent = Instant::now();
    let answer = send(&app, "product.deleted", r#"{"id":794}"#).await;
    assert_eq!(answer.status, 503);
    let waited = sent.elapsed();
    assert!(Duration::from_secs(45) <= waited && waited < Duration::from_secs(50), "{waited:?}");
    assert_eq!(outcome(&app, "woocommerce", "remembered").await, 1);
    assert_eq!(figure(&app, "shelfcast_webhook_products_owed").await, 1);
    sleep(Duration::from_secs(600)).await;
    log.away.store(false, Ordering::SeqCst);
    let (kind, data) = told(&mut stream).await.remove(0);
    assert_eq!((kind.as_str(), &data["action"]), ("product_update", &json!("updated")));
    assert_eq!((figure(&app, "shelfcast_webhook_products_owed").await, appended(&app).await), (0, 1));
}

/// Goal: a sender that hangs up, or a proxy that does so in its place, loses nothing.
#[tokio::test(start_paused = true)]
async fn a_delivery_whose_sender_hung_up_is_remembered() {
    let (app, log) = away().await;
    let mut stream = app.stream("products=794").await;
    assert!(timeout(Duration::from_secs(10), send(&app, "product.updated", &product(794))).await.is_err());
    assert_eq!(figure(&app, "shelfcast_webhook_products_owed").await, 1);
    log.away.store(false, Ordering::SeqCst);
    assert_eq!(told(&mut stream).await[0].0, "product_update");
}

/// Goal: what is told in place of a refused delivery is a word like any other: the product that looks as it did is told again.
/// Method: the same for what is owed by name, and for a word to everybody.
#[tokio::test(start_paused = true)]
async fn what_is_told_for_a_refused_delivery_voids_what_was_seen() {
    let (app, log) = away().await;
    log.away.store(false, Ordering::SeqCst);
    // Another delivery each time, of the same product.
    let shirt = |blanks| format!("{}{}", " ".repeat(blanks), product(794));
    send(&app, "product.updated", &shirt(0)).await;
    let everything =
        json!({"action": "wc_after_products_ending_sales", "arg": (1..=10_001).collect::<Vec<_>>()});
    for (blanks, refused) in [(1, r#"{"id":794}"#.to_owned()), (3, everything.to_string())] {
        log.away.store(true, Ordering::SeqCst);
        assert_eq!(send(&app, "product.deleted", &refused).await.status, 503);
        log.away.store(false, Ordering::SeqCst);
        sleep(Duration::from_secs(2)).await;
        assert_eq!(figure(&app, "shelfcast_webhook_products_owed").await, 0);
        let accepted = outcome(&app, "woocommerce", "accepted").await;
        send(&app, "product.updated", &shirt(blanks)).await;
        assert_eq!(outcome(&app, "woocommerce", "accepted").await, accepted + 1);
        send(&app, "product.updated", &shirt(blanks + 1)).await;
        assert_eq!(outcome(&app, "woocommerce", "accepted").await, accepted + 1, "unchanged");
    }
}

#[tokio::test(start_paused = true)]
async fn only_so_many_wait_and_the_next_one_is_remembered_at_once() {
    let (app, log) = away().await;
    let mut waiting = tokio::task::JoinSet::new();
    for id in 1..=1_001 {
        let app = Arc::clone(&app);
        waiting.spawn(async move { send(&app, "product.updated", &product(id)).await });
    }
    let first = waiting.join_next().await.unwrap().unwrap();
    assert_eq!(first.status, 503);
    assert_eq!(figure(&app, "shelfcast_webhook_deliveries_parked").await, 1_000);
    log.away.store(false, Ordering::SeqCst);
    assert!(waiting.join_all().await.iter().all(|answer| answer.status == 200));
    sleep(Duration::from_secs(2)).await;
    assert_eq!(appended(&app).await, 1_001);
}

/// Goal: more products than can be remembered are a word to everybody. Method: one sale of 10,001 products.
#[tokio::test(start_paused = true)]
async fn too_many_products_to_remember_are_a_word_to_everybody() {
    let (app, log) = away().await;
    let mut stream = app.stream("products=elsewhere&features=resync").await;
    let ids: Vec<_> = (1..=10_001).collect();
    let body = json!({"action": "wc_after_products_starting_sales", "arg": ids}).to_string();
    assert_eq!(send(&app, "action.wc_after_products_starting_sales", &body).await.status, 503);
    assert_eq!(figure(&app, "shelfcast_webhook_products_owed").await, 10_001);
    log.away.store(false, Ordering::SeqCst);
    let (word, _) = stream.resync().await;
    assert_eq!((&word.data["reason"], word.data.get("productIds")), (&json!("gap"), None));
    assert_eq!(figure(&app, "shelfcast_webhook_products_owed").await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_ends_does_not_keep_anybody_waiting() {
    let (app, _log) = away().await;
    let body = product(794);
    let leave = async {
        sleep(Duration::from_secs(5)).await;
        app.drain().await;
    };
    let sent = Instant::now();
    let (answer, ()) = tokio::join!(send(&app, "product.updated", &body), leave);
    assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (503, &json!("draining")));
    assert!(sent.elapsed() < Duration::from_secs(7));
}

/// The same with a real server, which stands still for longer than an append may take.
#[tokio::test]
async fn a_delivery_waits_for_a_redis_that_stands_still_and_is_appended_once() {
    let server = RedisServer::start();
    let app = TestApp::pod_with(&server, &[("WC_WEBHOOK_SECRET", SECRET)]).await;
    server.signal("STOP");
    let go_on = async {
        sleep(Duration::from_secs(4)).await;
        server.signal("CONT");
    };
    let body = product(794);
    let (answer, ()) = tokio::join!(send(&app, "product.updated", &body), go_on);
    assert_eq!(answer.status, 200);
    // What was sent before the pause may have been executed after it: the claim saw to that.
    assert!(server.command(&["XLEN", "{shelfcast}:log"]).starts_with(":1\r\n"));
}
