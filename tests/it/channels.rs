//! Redis channels and the input stream, with several pods on one real Redis: each message once, and nobody left in doubt.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use crate::support::{RedisServer, Stream, TestApp};

/// A pod takes the lease within a second, or once a dead holder's three seconds are over.
const SOON: Duration = Duration::from_secs(10);

/// Pods that share a Redis, one of which holds the lease.
async fn pods<const N: usize>(server: &RedisServer) -> [TestApp; N] {
    let mut pods = Vec::new();
    for _ in 0..N {
        pods.push(TestApp::pod(server).await);
    }
    let begin = Instant::now();
    while server.command(&["EXISTS", "{shelfcast}:lease"]) != ":1\r\n" {
        assert!(begin.elapsed() < SOON, "nobody took the lease");
        sleep(Duration::from_millis(20)).await;
    }
    // Whoever has it reads to the head and says so, and everybody learns that nothing older concerns it.
    sleep(Duration::from_secs(2)).await;
    pods.try_into().unwrap()
}

fn publish(server: &RedisServer, channel: &str, payload: &Value) {
    server.command(&["PUBLISH", channel, &payload.to_string()]);
}

fn price(new_price: u64) -> Value {
    json!({"productId": "p1", "type": "price_update", "data": {"newPrice": new_price}})
}

fn log_length(server: &RedisServer) -> String {
    server.command(&["XLEN", "{shelfcast}:log"]).trim().to_owned()
}

/// The prices in the next batches, until there are `count`.
async fn prices(stream: &mut Stream, count: usize) -> Vec<u64> {
    let mut prices = Vec::new();
    while prices.len() < count {
        let batch = timeout(SOON, stream.batch()).await.expect("no batch came");
        let events = batch.data["events"].as_array().unwrap().clone();
        prices.extend(events.iter().map(|event| event["data"]["newPrice"].as_u64().unwrap()));
    }
    prices
}

#[tokio::test]
async fn a_message_that_every_pod_hears_is_one_entry_and_every_pod_delivers_it() {
    let server = RedisServer::start();
    let pods = pods::<3>(&server).await;
    let mut streams = Vec::new();
    for pod in &pods {
        streams.push(pod.stream("products=p1").await);
    }
    // The same text twice is two changes: price A, B, A.
    for new_price in [1, 2, 1] {
        publish(&server, "product-updates", &price(new_price));
    }
    for stream in &mut streams {
        assert_eq!(prices(stream, 3).await, [1, 2, 1]);
        assert!(stream.is_quiet().await);
    }
    assert_eq!(log_length(&server), ":3");
}

#[tokio::test]
async fn what_is_mirrored_is_not_taken_in_again() {
    let server = RedisServer::start();
    let [one, _two] = pods::<2>(&server).await;
    let mut stream = one.stream("products=p1").await;
    one.price("p1", 7).await;
    assert_eq!(prices(&mut stream, 1).await, [7]);
    assert!(stream.is_quiet().await);
    assert_eq!(log_length(&server), ":1");
}

#[tokio::test]
async fn the_names_of_an_event_bus_are_understood() {
    let server = RedisServer::start();
    let [pod] = pods::<1>(&server).await;
    let mut stream = pod.stream("products=42,7,8").await;
    publish(&server, "inventory.stock_changed", &json!({"product_id": 42, "currentStock": 0}));
    publish(&server, "category.updated", &json!({"productIds": [7, "8"], "name": "shoes"}));
    let mut seen = Vec::new();
    for _ in 0..3 {
        let batch = stream.batch().await.data;
        let event = batch["events"][0].clone();
        seen.push((batch["productId"].clone(), event["type"].clone(), event["data"].clone()));
    }
    let category = json!({"productIds": [7, "8"], "name": "shoes"});
    assert_eq!(
        seen,
        [
            (json!("42"), json!("inventory_update"), json!({"product_id": 42, "currentStock": 0})),
            (json!("7"), json!("product_update"), category.clone()),
            (json!("8"), json!("product_update"), category),
        ]
    );
}

#[tokio::test]
async fn a_message_that_cannot_be_read_is_kept_aside_and_stops_nothing() {
    let server = RedisServer::start();
    let [pod, _other] = pods::<2>(&server).await;
    let mut stream = pod.stream("products=p1").await;
    server.command(&["PUBLISH", "product-updates", "rubbish"]);
    publish(&server, "product-updates", &price(1));
    assert_eq!(prices(&mut stream, 1).await, [1]);
    let letters = server.command(&["LRANGE", "{shelfcast}:dead", "0", "-1"]);
    assert!(letters.starts_with("*1\r\n"), "one pod keeps it: {letters}");
    assert!(letters.contains(r#""channel":"product-updates""#) && letters.contains("rubbish"), "{letters}");
}

#[tokio::test]
async fn a_holder_that_drains_hands_over_and_nothing_is_lost_or_doubled() {
    let server = RedisServer::start();
    let pods = pods::<2>(&server).await;
    let mut streams = [
        pods[0].stream("products=p1&features=resync").await,
        pods[1].stream("products=p1&features=resync").await,
    ];
    // The first pod of two had the lease before the second one started.
    let publishing = async {
        for new_price in 0..40 {
            publish(&server, "product-updates", &price(new_price));
            sleep(Duration::from_millis(25)).await;
        }
    };
    let draining = async {
        sleep(Duration::from_millis(400)).await;
        pods[0].drain().await;
    };
    tokio::join!(publishing, draining);
    let seen = prices(&mut streams[1], 40).await;
    assert_eq!(seen, (0..40).collect::<Vec<_>>());
    assert!(streams[1].is_quiet().await, "nobody is told to refetch, nothing comes twice");
    assert_eq!(log_length(&server), ":40");
}

#[tokio::test]
async fn when_no_pod_was_subscribed_everyone_is_told() {
    let server = RedisServer::start();
    let pods = pods::<2>(&server).await;
    for pod in &pods {
        let mut stream = pod.stream("products=p1&features=resync").await;
        if std::ptr::eq(pod, &pods[0]) {
            server.command(&["CLIENT", "KILL", "TYPE", "pubsub"]);
        }
        let (word, _) = timeout(SOON, stream.resync()).await.expect("nobody was told");
        assert_eq!(word.text("reason"), "gap");
        if std::ptr::eq(pod, &pods[0]) {
            server.command(&["CLIENT", "KILL", "TYPE", "pubsub"]);
        }
    }
    // And the channels are heard again.
    sleep(Duration::from_secs(3)).await;
    let mut stream = pods[0].stream("products=p1").await;
    publish(&server, "product-updates", &price(5));
    assert_eq!(prices(&mut stream, 1).await, [5]);
}

#[tokio::test]
async fn a_redis_that_comes_back_empty_has_lost_messages_too() {
    let mut server = RedisServer::start();
    let [pod] = pods::<1>(&server).await;
    let mut stream = pod.stream("products=p1&features=resync").await;
    server.restart();
    // The log's new epoch is told as soon as Redis is back; messages may have been published after that, and before
    // the pod was subscribed again.
    let (first, _) = timeout(SOON, stream.resync()).await.expect("nobody was told of the log");
    assert_eq!(first.text("reason"), "log_reset");
    let (second, _) = timeout(SOON, stream.resync()).await.expect("nobody was told of the messages");
    assert_eq!(second.text("reason"), "gap");
}

#[tokio::test]
async fn the_input_stream_is_read_from_its_beginning_once_and_acknowledged() {
    let server = RedisServer::start();
    let add = |text: &str| server.command(&["XADD", "product-events", "*", "event", text]);
    add(&price(1).to_string());
    add("rubbish");
    server.command(&["XADD", "product-events", "*", "another", "field"]);
    let two = json!({"events": [price(2), price(3)]});
    add(&two.to_string());
    let [one, two] = pods::<2>(&server).await;
    let mut stream = two.stream("products=p1").await;
    add(&price(4).to_string());
    assert_eq!(prices(&mut stream, 1).await, [4]);
    assert_eq!(log_length(&server), ":4", "what was there before came first");
    let pending = server.command(&["XPENDING", "product-events", "shelfcast"]);
    assert!(pending.starts_with("*4\r\n:0\r\n"), "all is acknowledged: {pending}");
    let letters = server.command(&["LRANGE", "{shelfcast}:dead", "0", "-1"]);
    assert!(letters.starts_with("*2\r\n"), "{letters}");
    one.drain().await;
    add(&price(5).to_string());
    assert_eq!(prices(&mut stream, 1).await, [5]);
    assert_eq!(log_length(&server), ":5", "the successor takes up only what is new");
}

#[tokio::test]
async fn an_entry_that_was_delivered_but_not_acknowledged_is_taken_up_and_counts_once() {
    let server = RedisServer::start();
    server.command(&["XADD", "product-events", "*", "event", &price(1).to_string()]);
    server.command(&["XGROUP", "CREATE", "product-events", "shelfcast", "0"]);
    let taken = ["XREADGROUP", "GROUP", "shelfcast", "gateway", "STREAMS", "product-events", ">"];
    assert!(server.command(&taken).contains("newPrice"), "a holder took it and died");
    let [_pod] = pods::<1>(&server).await;
    assert_eq!(log_length(&server), ":1");
    let pending = server.command(&["XPENDING", "product-events", "shelfcast"]);
    assert!(pending.starts_with("*4\r\n:0\r\n"), "{pending}");
}
