//! What is known of parts: one suite, run in memory and on a real Redis.

use std::sync::Arc;

use shelfcast::{
    ingest::webhooks::{MemoryParts, PartId, Parts, RedisParts},
    model::ProductId,
    redis::{Keys, Link, RedisConfig},
};

use crate::support::RedisServer;

fn id(number: usize) -> ProductId {
    ProductId::new(&number.to_string()).unwrap()
}

fn part(number: usize) -> PartId {
    PartId::new("shopify", id(number))
}

/// Teaches that these parts belong to the product 1000 above.
async fn learn(parts: &dyn Parts, numbers: impl IntoIterator<Item = usize>) {
    let known: Vec<_> = numbers.into_iter().map(|n| (part(n), id(n + 1_000))).collect();
    parts.learn(&known).await.unwrap();
}

async fn is_known(parts: &dyn Parts, number: usize) -> bool {
    let found = parts.find(&[part(number)]).await.unwrap();
    assert!(found.len() == 1 && found[0].as_ref().is_none_or(|product| *product == id(number + 1_000)));
    found[0].is_some()
}

/// Goal: the contract of [`Parts`]. `parts` keeps at least ten.
async fn keeps_the_contract(parts: &dyn Parts) {
    assert!(!is_known(parts, 1).await, "nothing is guessed");
    learn(parts, [1, 2]).await;
    learn(parts, [2]).await;
    let found = parts.find(&[part(2), part(3), part(1)]).await.unwrap();
    assert_eq!(found, [Some(id(1_002)), None, Some(id(1_001))]);
    assert!(parts.find(&[PartId::new("woocommerce", id(1))]).await.unwrap()[0].is_none(), "another platform");
    parts.learn(&[(part(1), id(7))]).await.unwrap();
    assert_eq!(parts.find(&[part(1)]).await.unwrap(), [Some(id(7))], "what was told last counts");

    learn(parts, 100..160).await;
    assert!(!is_known(parts, 2).await, "what nobody asks about goes");
    for number in 150..160 {
        assert!(is_known(parts, number).await, "{number}");
    }
    let mut kept = 0;
    for number in 100..150 {
        kept += usize::from(is_known(parts, number).await);
    }
    assert!(kept <= 20, "{kept} of the older ones are kept");
    // What is asked about again and again stays, whatever comes by.
    learn(parts, [1]).await;
    for number in 200..260 {
        learn(parts, [number]).await;
        assert!(is_known(parts, 1).await, "{number}");
    }
}

#[tokio::test]
async fn parts_in_memory_are_known_until_too_many_others_are() {
    keeps_the_contract(&MemoryParts::keeping(10)).await;
}

async fn link(server: &RedisServer) -> Arc<Link> {
    let config = RedisConfig::new(&server.url(), Keys::new("shelfcast", "")).unwrap();
    let link = Arc::new(config.client().unwrap());
    link.connected().await.unwrap();
    link
}

#[tokio::test]
async fn parts_at_redis_are_known_until_too_many_others_are() {
    let server = RedisServer::start();
    keeps_the_contract(&RedisParts::keeping(10, link(&server).await, &Keys::new("shelfcast", ""))).await;
}

#[tokio::test]
async fn a_pod_knows_what_another_one_learned_and_says_when_it_cannot_ask() {
    let mut server = RedisServer::start();
    let keys = Keys::new("shelfcast", "");
    let one = RedisParts::new(link(&server).await, &keys);
    let other = RedisParts::new(link(&server).await, &keys);
    // As many as the largest product has.
    learn(&one, 0..2_048).await;
    assert!(is_known(&other, 0).await && is_known(&other, 2_047).await);
    server.kill();
    assert!(other.find(&[part(1)]).await.is_err() && other.learn(&[(part(1), id(1))]).await.is_err());
}
