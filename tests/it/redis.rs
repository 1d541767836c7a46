//! Several pods on one real Redis, and what a shopper sees when Redis fails in each way it can. Real time, real server.

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

use crate::support::{RedisServer, TestApp};

const EVENT: &str = r#"{"productId":"p1","type":"price_update","data":{"newPrice":1}}"#;
/// A client that is told within this time after Redis is back was told soon enough (contract section 1).
const TOLD_WITHIN: Duration = Duration::from_secs(2);

/// Posts until it is accepted and returns how long that took; refusals must be 503 with a time to come again.
async fn post_until_accepted(pod: &TestApp) -> Duration {
    let begin = Instant::now();
    loop {
        let tried = Instant::now();
        let answer = pod.post(EVENT, &[]).await;
        if answer.status == 202 {
            return begin.elapsed();
        }
        assert_eq!((answer.status.as_u16(), answer.json()["code"].as_str()), (503, Some("log_unavailable")));
        assert!(answer.headers.contains_key("retry-after"));
        assert!(tried.elapsed() < Duration::from_millis(2_500), "refused after {:?}", tried.elapsed());
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn what_one_pod_accepts_every_pod_delivers() {
    let server = RedisServer::start();
    let (one, two) = tokio::join!(TestApp::pod(&server), TestApp::pod(&server));
    let mut streams = [one.stream("products=p1").await, two.stream("products=p1").await];
    let cursors = [one.price("p1", 1).await, two.price("p1", 2).await];
    for stream in &mut streams {
        let batch = stream.batch().await;
        assert_eq!((batch.count(), batch.text("cursor")), (2, cursors[1].as_str()));
    }
}

#[tokio::test]
async fn a_client_resumes_on_another_pod_also_on_one_that_started_later() {
    let server = RedisServer::start();
    let one = TestApp::pod(&server).await;
    let mut stream = one.stream("products=p1").await;
    let seen = one.price("p1", 1).await;
    assert_eq!(stream.batch().await.id, Some(seen.clone()));
    drop(stream);
    let missed = [one.price("p1", 2).await, one.price("p1", 3).await];
    sleep(Duration::from_millis(400)).await;
    let two = TestApp::pod(&server).await;
    let mut stream = two.resume("products=p1", Some(&seen)).await;
    let batch = stream.batch().await;
    assert_eq!((batch.count(), batch.data["replay"].as_bool()), (2, Some(true)));
    assert_eq!((batch.text("previousCursor"), batch.text("cursor")), (seen.as_str(), missed[1].as_str()));
}

#[tokio::test]
async fn the_same_idempotency_key_counts_once_whichever_pod_gets_it() {
    let server = RedisServer::start();
    let (one, two) = tokio::join!(TestApp::pod(&server), TestApp::pod(&server));
    let first = one.post(EVENT, &[("idempotency-key", "k")]).await.json();
    let second = two.post(EVENT, &[("idempotency-key", "k")]).await.json();
    assert_eq!((&first["duplicate"], &second["duplicate"]), (&json!(false), &json!(true)));
    assert_eq!(first["cursor"], second["cursor"]);
    assert!(server.command(&["XLEN", "{shelfcast}:log"]).starts_with(":1"));
}

#[tokio::test]
async fn a_restart_without_its_data_is_told_to_everyone() {
    let mut server = RedisServer::start();
    let (one, two) = tokio::join!(TestApp::pod(&server), TestApp::pod(&server));
    let mut streams =
        [one.stream("products=p1&features=resync").await, two.stream("products=p1&features=resync").await];
    one.price("p1", 1).await;
    for stream in &mut streams {
        stream.batch().await;
    }
    server.restart();
    for stream in &mut streams {
        let (block, took) = stream.resync().await;
        assert_eq!(block.text("reason"), "log_reset");
        assert!(took < TOLD_WITHIN, "{took:?}");
    }
    assert_eq!(one.metric("shelfcast_log_resets_total").await, 1.0);
    assert!(post_until_accepted(&one).await < Duration::from_secs(1));
    for stream in &mut streams {
        stream.batch_past_gaps().await;
    }
}

#[tokio::test]
async fn a_wiped_log_is_told_to_everyone() {
    let server = RedisServer::start();
    let one = TestApp::pod(&server).await;
    let mut stream = one.stream("products=p1&features=resync").await;
    for words in [&["FLUSHALL"][..], &["DEL", "{shelfcast}:log", "{shelfcast}:meta"][..]] {
        one.price("p1", 1).await;
        stream.batch_past_gaps().await;
        server.command(words);
        let wiped = Instant::now();
        // The word about the channels, which FLUSHALL wiped too, may come late.
        while stream.resync().await.0.text("reason") == "gap" {}
        assert!(wiped.elapsed() < TOLD_WITHIN, "{words:?} {:?}", wiped.elapsed());
    }
}

#[tokio::test]
async fn entries_that_vanish_before_they_are_read_are_told() {
    let server = RedisServer::start();
    let pod = TestApp::pod(&server).await;
    let mut stream = pod.stream("products=p1&features=resync").await;
    pod.price("p1", 1).await;
    stream.batch().await;
    // In one step, so that no reader sees the entry: the head moves on, the log is empty.
    let vanish = "redis.call('XADD', KEYS[1], '2-0', 'x', 'y') redis.call('HINCRBY', KEYS[2], 'n', 1) \
                  return redis.call('DEL', KEYS[1])";
    server.command(&["EVAL", vanish, "2", "{shelfcast}:log", "{shelfcast}:meta"]);
    let (block, took) = stream.resync().await;
    assert_eq!(block.text("reason"), "gap");
    assert!(took < TOLD_WITHIN, "{took:?}");
    pod.price("p1", 2).await;
    stream.batch().await;
}

#[tokio::test]
async fn an_entry_that_continues_another_history_is_told() {
    let server = RedisServer::start();
    let pod = TestApp::pod(&server).await;
    let mut stream = pod.stream("products=p1&features=resync").await;
    pod.price("p1", 1).await;
    stream.batch().await;
    // As after a failover that lost the entry and took another one in its place, with the same numbers.
    server.command(&["HSET", "{shelfcast}:meta", "time", "1"]);
    pod.price("p1", 2).await;
    let (block, took) = stream.resync().await;
    assert_eq!(block.text("reason"), "log_reset");
    assert!(took < TOLD_WITHIN, "{took:?}");
    pod.price("p1", 3).await;
    stream.batch().await;
}

#[tokio::test]
async fn a_foreign_entry_in_the_log_does_not_stop_it() {
    let server = RedisServer::start();
    let pod = TestApp::pod(&server).await;
    let mut stream = pod.stream("products=p1&features=resync").await;
    pod.price("p1", 1).await;
    stream.batch().await;
    server.command(&["XADD", "{shelfcast}:log", "*", "hello", "world"]);
    stream.resync().await;
    assert!(post_until_accepted(&pod).await < Duration::from_secs(1));
    stream.batch().await;
}

/// Goal: whatever somebody writes into Redis by hand, viewers are told, and events are taken and delivered afterwards. Method: one
/// script each, in one step, so that no reader sees half of it.
async fn is_told_and_healed(script: &str) {
    let server = RedisServer::start();
    let pod = TestApp::pod(&server).await;
    let mut stream = pod.stream("products=p1&features=resync").await;
    pod.price("p1", 1).await;
    stream.batch().await;
    server.command(&["EVAL", script, "2", "{shelfcast}:log", "{shelfcast}:meta"]);
    // What finds it may be the next event.
    let accepted = timeout(TOLD_WITHIN, post_until_accepted(&pod)).await;
    assert!(accepted.is_ok(), "not taken again after {script}");
    let (block, took) = stream.resync().await;
    assert_eq!(block.text("reason"), "log_reset", "{script}");
    assert!(took < TOLD_WITHIN, "{took:?}");
    // One word may follow another while the epoch is given up.
    while timeout(Duration::from_millis(1_500), stream.resync()).await.is_ok() {}
    pod.price("p1", 2).await;
    stream.batch().await;
    let later = TestApp::pod(&server).await;
    later.price("p1", 3).await;
}

#[tokio::test]
async fn an_entry_of_another_epoch_ends_this_one() {
    is_told_and_healed(
        "local n = redis.call('HINCRBY', KEYS[2], 'n', 1) local t = redis.call('HGET', KEYS[2], 'time') \
         redis.call('XADD', KEYS[1], n .. '-0', 'e', 'zzzzzzzz', 't', t + 1, 'b', t, 'k', 'price_update', \
         'p', 'p1', 'd', '{}', 's', '2026-01-31T12:00:00Z')",
    )
    .await;
}

#[tokio::test]
async fn a_head_of_another_epoch_than_its_entries_ends_that_one() {
    is_told_and_healed("redis.call('HSET', KEYS[2], 'epoch', 'aaaaaaaa')").await;
}

#[tokio::test]
async fn a_head_that_cannot_be_read_begins_a_new_epoch() {
    for (field, value) in [("time", "1e40"), ("time", "abc"), ("n", "-5"), ("n", ""), ("epoch", "x")] {
        is_told_and_healed(&format!("redis.call('HSET', KEYS[2], '{field}', '{value}')")).await;
    }
    is_told_and_healed("redis.call('HDEL', KEYS[2], 'lineage')").await;
}

#[tokio::test]
async fn a_redis_that_stands_still_is_refused_soon_and_taken_up_again_soon() {
    let server = RedisServer::start();
    let pod = TestApp::pod(&server).await;
    let mut stream = pod.stream("products=p1&features=resync").await;
    server.signal("STOP");
    let stopped = async {
        // Longer than a connection may leave a command without an answer.
        sleep(Duration::from_secs(7)).await;
        assert_eq!(pod.get("/health").await.json()["status"], "degraded");
        assert_eq!(pod.get("/health/ready").await.status, 200, "or all pods would leave at once");
        server.signal("CONT");
        Instant::now()
    };
    let (_, continued) = tokio::join!(post_until_accepted(&pod), stopped);
    assert!(continued.elapsed() < Duration::from_secs(1), "taken again after {:?}", continued.elapsed());
    stream.batch().await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(pod.get("/health").await.json()["status"], "healthy");
}

#[tokio::test]
async fn a_redis_that_is_away_is_refused_at_once() {
    let mut server = RedisServer::with(&["--appendonly", "yes", "--appendfsync", "always"]);
    let pod = TestApp::pod(&server).await;
    pod.price("p1", 1).await;
    server.kill();
    sleep(Duration::from_millis(100)).await;
    for _ in 0..10 {
        let begin = Instant::now();
        assert_eq!(pod.post(EVENT, &[]).await.status, 503);
        assert!(begin.elapsed() < Duration::from_millis(500), "{:?}", begin.elapsed());
    }
    server.restart();
    assert!(post_until_accepted(&pod).await < Duration::from_secs(1));
}

#[tokio::test]
async fn an_evicting_redis_is_refused() {
    let server = RedisServer::with(&["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"]);
    let refused = TestApp::try_pod(&server, &[]).await.unwrap_err().to_string();
    assert!(refused.contains("allkeys-lru"), "{refused}");
}

#[tokio::test]
async fn waiting_for_the_disk_needs_a_redis_that_can_tell() {
    let server = RedisServer::start();
    let refused = TestApp::try_pod(&server, &[("DURABILITY", "fsync")]).await;
    // Redis 7.2 has WAITAOF; without an append-only file it confirms nothing.
    match refused {
        Err(error) => assert!(error.to_string().contains("WAITAOF"), "{error}"),
        Ok(pod) => assert_eq!(pod.post(EVENT, &[]).await.status, 503),
    }
}

#[tokio::test]
async fn with_durability_replica_202_waits_for_one() {
    let primary = RedisServer::start();
    let pod = TestApp::pod_with(&primary, &[("DURABILITY", "replica")]).await;
    let answer = pod.post(EVENT, &[("idempotency-key", "k")]).await;
    assert_eq!(answer.status, 503, "there is no replica");
    let port = primary.port().to_string();
    let replica = RedisServer::with(&["--replicaof", "127.0.0.1", &port, "--repl-diskless-sync-delay", "0"]);
    let begin = Instant::now();
    let answer = loop {
        let answer = pod.post(EVENT, &[("idempotency-key", "k")]).await;
        if answer.status == 202 {
            break answer;
        }
        assert!(begin.elapsed() < Duration::from_secs(20), "{answer:?}");
    };
    assert_eq!(answer.json()["duplicate"], true, "the first try was executed");
    assert_eq!(replica.command(&["XLEN", "{shelfcast}:log"]), ":1\r\n");
}

#[tokio::test]
async fn each_accepted_event_is_published_once_for_caches_and_mirrored() {
    let server = RedisServer::start();
    let (one, _two) = tokio::join!(TestApp::pod(&server), TestApp::pod(&server));
    let mut published = server.subscribe(&["product-cache-invalidation", "product-updates"]);
    let data = r#"{"productId":"p1","type":"price_update","data":{ "newPrice": 1.50 },"timestamp":"2026-01-01T00:00:00Z"}"#;
    let cursor =
        one.post(data, &[("idempotency-key", "k")]).await.json()["cursor"].as_str().unwrap().to_owned();
    one.post(data, &[("idempotency-key", "k")]).await;
    let expected = format!(
        r#"{{"productId":"p1","type":"price_update","cursor":"{cursor}","timestamp":"2026-01-01T00:00:00Z"}}"#
    );
    assert_eq!(published.next(), ("product-cache-invalidation".into(), expected));
    let mirrored = r#"{"productId":"p1","type":"price_update","data":{"newPrice":1.50},"timestamp":"2026-01-01T00:00:00Z","via":"shelfcast"}"#;
    assert_eq!(published.next(), ("product-updates".into(), mirrored.into()));
    assert!(published.is_quiet());
}
