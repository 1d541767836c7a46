//! What only a log on Redis can do wrong with products that a shop shows.

use std::{sync::Arc, time::Duration};

use shelfcast::{
    clock::Clock,
    eventlog::{
        AppendError, EventLog, LeaseToken,
        redis::{Durability, RedisLogConfig},
    },
};
use tokio::time::sleep;

use super::{
    CHANGED, OUTDATED, REDIS_LOG, UNCHANGED, World, on_sale, redis, request, server, shirt, updated,
};
use crate::support::RedisServer;

#[tokio::test]
async fn a_failed_append_leaves_what_was_seen() {
    let mut world = redis().await;
    world.see(0, shirt("20")).await;
    server(&world).command(&["CONFIG", "SET", "maxmemory", "1"]);
    for _ in 0..2 {
        let failed = world.pods[0].observe(world.sightings(vec![shirt("15")], request("d", "15"))).await;
        assert!(matches!(failed, Err(AppendError::Unavailable { .. })), "{failed:?}");
    }
    server(&world).command(&["CONFIG", "SET", "maxmemory", "0"]);
    let retried = world.pods[1].observe(world.sightings(vec![shirt("15")], request("d", "15"))).await;
    assert_eq!(retried.unwrap().tally, CHANGED, "neither seen nor claimed");
    assert_eq!(world.told().await, ["product 20", "price 20 -> 15"]);
}

#[tokio::test]
async fn what_fails_within_the_step_leaves_what_was_seen_too() {
    let mut world = redis().await;
    world.see(0, shirt("20")).await;
    let server = server(&world);
    server.command(&["RENAME", "{shelfcast}:log", "{shelfcast}:aside"]);
    server.command(&["SET", "{shelfcast}:log", "no stream"]);
    let failed = world.pods[0].observe(world.sightings(vec![shirt("15")], request("d", "15"))).await;
    assert!(matches!(failed, Err(AppendError::Unavailable { .. })), "{failed:?}");
    server.command(&["RENAME", "{shelfcast}:aside", "{shelfcast}:log"]);
    let retried = world.pods[1].observe(world.sightings(vec![shirt("15")], request("d", "15"))).await;
    assert_eq!(retried.unwrap().tally, CHANGED);
    assert_eq!(world.told().await, ["product 20", "price 20 -> 15"]);
}

#[tokio::test]
async fn a_snapshot_that_is_gone_or_unreadable_is_told_without_old_values() {
    let mut world = redis().await;
    for words in [
        &["DEL", "{shelfcast}:snapshots"][..],
        &["HSET", "{shelfcast}:snapshots", "shirt", "rubbish"],
        &["HSET", "{shelfcast}:snapshots", "shirt", ""],
        &["HSET", "{shelfcast}:snapshots", "shirt", "otherepoch {\"u\":1,\"h\":true}"],
    ] {
        world.see(0, shirt("20")).await;
        server(&world).command(words);
        assert_eq!(world.see(1, shirt("20")).await.tally, CHANGED, "{words:?}");
    }
    assert_eq!(world.told().await, ["product 20"; 5]);
}

#[tokio::test]
async fn what_was_seen_in_another_epoch_is_void_but_for_its_time() {
    let world = redis().await;
    let now = world.clock.now();
    world.see(0, updated("20", now)).await;
    server(&world).command(&["DEL", "{shelfcast}:log", "{shelfcast}:meta"]);
    assert_eq!(world.see(1, updated("15", now.plus_secs(-10))).await.tally, OUTDATED);
    assert_eq!(world.see(1, updated("20", now)).await.tally, CHANGED, "what clients know may be newer");
    assert_eq!(world.see(0, updated("20", now)).await.tally, UNCHANGED);
}

#[tokio::test]
async fn keys_of_another_kind_refuse_before_anything_is_written() {
    let mut world = redis().await;
    for key in ["{shelfcast}:snapshots", "{shelfcast}:sales", "{shelfcast}:streaks"] {
        server(&world).command(&["DEL", key]);
        server(&world).command(&["SET", key, "x"]);
        let sightings =
            world.sightings(vec![on_sale(world.clock.now().plus_secs(9), world.clock.now())], None);
        assert!(world.pods[0].observe(sightings).await.is_err());
        server(&world).command(&["DEL", key]);
    }
    assert_eq!(world.told().await, [""; 0]);
}

#[tokio::test]
async fn a_boundary_is_fired_under_the_lease_only() {
    let mut world = redis().await;
    let now = world.clock.now();
    world.see(0, on_sale(now.plus_secs(1), now.plus_secs(100))).await;
    world.pass(Duration::from_millis(1_100)).await;
    server(&world).command(&["SET", "{shelfcast}:lease", "7"]);
    assert_eq!(world.pods[0].fire_sales(Some(LeaseToken(6))).await, Err(AppendError::Fenced));
    assert_eq!(world.pods[1].fire_sales(Some(LeaseToken(7))).await.unwrap().fired, 1);
    assert_eq!(world.told().await, ["product 20", "sale on"]);
}

#[tokio::test]
async fn a_boundary_that_cannot_be_read_holds_up_no_other() {
    let mut world = redis().await;
    let sales = "{shelfcast}:sales";
    server(&world).command(&[
        "ZADD",
        sales,
        "1",
        "middle/shirt",
        "2",
        "start/a b",
        "3",
        "end/lost",
        "4",
        "x",
    ]);
    assert_eq!(world.pods[0].fire_sales(None).await.unwrap().fired, 4);
    assert_eq!(world.told().await, ["sale off"], "of a product that nobody knows");
    assert!(server(&world).command(&["ZCARD", sales]).starts_with(":0"));
}

/// Goal: Redis keeps no more than said, whatever shops show. Method: fill both keys up to their bounds, then see a product
/// with a sale.
#[tokio::test]
async fn what_is_kept_at_redis_is_bounded() {
    let world = redis().await;
    let fill = "for i = 1, 100000 do redis.call('HSET', KEYS[1], 'p' .. i, 'x') \
                redis.call('ZADD', KEYS[2], 1e14 + i, 'end/p' .. i) end";
    server(&world).command(&["EVAL", fill, "2", "{shelfcast}:snapshots", "{shelfcast}:sales"]);
    let now = world.clock.now();
    world.see(0, on_sale(now.plus_secs(50), now.plus_secs(100))).await;
    assert!(server(&world).command(&["HLEN", "{shelfcast}:snapshots"]).starts_with(":100000\r"));
    assert!(server(&world).command(&["ZCARD", "{shelfcast}:sales"]).starts_with(":100000\r"));
    assert!(server(&world).command(&["ZSCORE", "{shelfcast}:sales", "end/shirt"]).starts_with('$'));
    assert!(server(&world).command(&["ZSCORE", "{shelfcast}:sales", "end/p100000"]).starts_with("$-1"));
    let lives = server(&world).command(&["TTL", "{shelfcast}:snapshots"]);
    assert!(lives.starts_with(":259"), "thirty days: {lives}");
}

#[tokio::test]
async fn what_was_seen_waits_for_a_replica_where_that_is_asked() {
    let primary = RedisServer::start();
    let port = primary.port().to_string();
    let mut replica =
        RedisServer::with(&["--replicaof", "127.0.0.1", &port, "--repl-diskless-sync-delay", "0"]);
    while !replica.command(&["INFO", "replication"]).contains("master_link_status:up") {
        sleep(Duration::from_millis(50)).await;
    }
    let pod: Arc<dyn EventLog> =
        primary.log(RedisLogConfig { durability: Durability::Replica, ..REDIS_LOG }).await;
    let mut world =
        World::on([Arc::clone(&pod), Arc::clone(&pod)], Clock::system(), false, Some(primary)).await;
    let observe = |price| pod.observe(world.sightings(vec![shirt(price)], request(price, price)));
    assert_eq!(observe("20").await.unwrap().tally, CHANGED);
    replica.kill();
    assert!(matches!(observe("20").await, Err(AppendError::Unavailable { .. })), "a duplicate waits as well");
    replica.restart();
    while observe("20").await.is_err() {
        sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(world.told().await, ["product 20"]);
}
