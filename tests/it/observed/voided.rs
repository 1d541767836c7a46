//! Every word about a product, whoever says it, makes clients fetch it: then what looks as it did is told all the same, or a
//! page would keep what it fetched in between. One suite for every log.

use serde_json::value::RawValue;
use shelfcast::{
    eventlog::{Append, ClaimKey, HeardOnce, InputGap, LeaseToken, Message, NewEvent, snapshots::Sightings},
    model::{Data, Event, EventType, MessageDigest, ObservedProduct, ProductId, Timestamp},
};

use super::{CHANGED, UNCHANGED, World, decimal, memory, redis, request, server, shirt};
use crate::log_contract::suite;

fn id(text: &str) -> ProductId {
    ProductId::new(text).unwrap()
}

/// `stock 7 -> 3`, as somebody else tells it.
pub(super) fn word(product: &str) -> NewEvent {
    let data =
        RawValue::from_string(format!(r#"{{"productId":"{product}","previousStock":7,"currentStock":3}}"#));
    let event = Event {
        product_id: id(product),
        event_type: EventType::InventoryUpdate,
        data: Data::new(&data.unwrap()).unwrap(),
        timestamp: Timestamp::new("2026-01-01T00:00:00Z").unwrap(),
    };
    NewEvent { event, claim: None }
}

fn claimed(product: &str) -> NewEvent {
    NewEvent { claim: Some(ClaimKey::event("once")), ..word(product) }
}

fn variation(name: &str, price: &str) -> ObservedProduct {
    ObservedProduct { variation_id: Some(id(name)), ..shirt(price) }
}

impl World {
    async fn say(&self, pod: usize, events: Vec<NewEvent>) {
        self.pods[pod].append(Append { request: None, events, message: None }).await.unwrap();
    }

    async fn gap(&self, product_ids: Vec<ProductId>) {
        self.pods[1].append_gap(InputGap { product_ids, lease: None }).await.unwrap();
    }

    /// Sees the shirt as it was: told, and then nothing new.
    async fn is_told_once(&self) {
        assert_eq!(self.see(0, shirt("20")).await.tally, CHANGED);
        assert_eq!(self.see(1, shirt("20")).await.tally, UNCHANGED);
    }
}

async fn what_publishers_tell_voids_what_was_seen(mut world: World) {
    world.is_told_once().await;
    world.say(1, vec![word("shirt")]).await;
    world.is_told_once().await;
    world.say(0, vec![word("trousers"), claimed("shirt"), word("socks")]).await;
    world.is_told_once().await;
    let told = world.told().await;
    let products = told.iter().filter(|told| *told == "product 20").count();
    assert_eq!((told.len(), products), (7, 3));
}

async fn what_comes_over_a_channel_voids_what_was_seen(world: World) {
    if let Some(server) = &world.server {
        server.command(&["SET", "{shelfcast}:lease", "7"]);
    }
    world.is_told_once().await;
    let heard = HeardOnce { number: 1, digest: Some(MessageDigest::of("channel", b"message")) };
    let message = Message { lease: LeaseToken(7), heard: Some(heard), from_mirror: true };
    let append = Append { request: None, events: vec![word("shirt")], message: Some(message) };
    world.pods[1].append(append).await.unwrap();
    world.is_told_once().await;
}

async fn a_hint_voids_what_was_seen_whether_it_comes_alone_or_with_what_is_seen(mut world: World) {
    world.is_told_once().await;
    let hint = |products| Sightings { events: vec![word("shirt")], ..world.sightings(products, None) };
    assert_eq!(world.pods[1].observe(hint(vec![])).await.unwrap().appended.accepted, 1);
    world.is_told_once().await;
    assert_eq!(
        world.pods[1].observe(hint(vec![shirt("20")])).await.unwrap().tally,
        UNCHANGED,
        "the hint is told"
    );
    world.is_told_once().await;
    assert_eq!(world.pods[1].observe(hint(vec![shirt("15")])).await.unwrap().tally, CHANGED);
    assert_eq!(world.see(0, shirt("15")).await.tally, UNCHANGED, "told behind the hint");
    let told = [
        "product 20",
        "stock 7 -> 3",
        "product 20",
        "stock 7 -> 3",
        "product 20",
        "stock 7 -> 3",
        "price 20 -> 15",
    ];
    assert_eq!(world.told().await, told);
}

async fn a_gap_that_may_be_about_it_voids_what_was_seen(world: World) {
    world.is_told_once().await;
    world.gap(vec![id("trousers"), id("shirt")]).await;
    world.is_told_once().await;
    world.gap(vec![]).await;
    world.is_told_once().await;
}

async fn a_word_about_another_product_or_one_that_is_known_voids_nothing(world: World) {
    world.say(0, vec![claimed("shirt")]).await;
    world.is_told_once().await;
    world.say(1, vec![claimed("shirt"), word("trousers"), word("shirt2")]).await;
    assert_eq!(world.see(0, shirt("20")).await.tally, UNCHANGED);
    let notify = |body| Append { request: request("key", body), events: vec![word("shirt")], message: None };
    world.pods[0].append(notify("body")).await.unwrap();
    world.is_told_once().await;
    assert!(world.pods[1].append(notify("body")).await.unwrap().repeated);
    assert!(world.pods[1].append(notify("other")).await.is_err());
    assert_eq!(world.see(0, shirt("20")).await.tally, UNCHANGED);
}

/// Goal: no old value that a shopper has not been told last.
async fn behind_the_word_of_another_no_old_value_is_told(mut world: World) {
    world.see(0, shirt("20")).await;
    world.say(1, vec![word("shirt")]).await;
    world.see(1, shirt("15")).await;
    world.see(0, shirt("14")).await;
    assert_eq!(world.told().await, ["product 20", "stock 7 -> 3", "product 15", "price 15 -> 14"]);
}

/// Goal: a page that was fetched because one variation changed keeps nothing of the others that is not so any more; but what
/// was told of them last is known.
async fn what_is_told_of_a_variation_is_a_word_about_all_of_its_page(mut world: World) {
    world.see(0, shirt("20")).await;
    world.see(0, variation("m", "30")).await;
    world.see(1, variation("l", "40")).await;
    assert_eq!(world.see(0, variation("l", "40")).await.tally, UNCHANGED);
    for (seen, told) in [
        (shirt("20"), "product 20"),
        (variation("m", "31"), "price 30 -> 31"),
        (variation("l", "40"), "product 40"),
        (shirt("21"), "price 20 -> 21"),
    ] {
        world.told().await;
        world.see(1, seen).await;
        assert_eq!(world.told().await, [told]);
    }
    world.say(0, vec![word("shirt")]).await;
    world.see(0, variation("m", "32")).await;
    world.see(0, shirt("22")).await;
    assert_eq!(world.told().await, ["stock 7 -> 3", "product 32", "product 22"], "void for all of them");
    let all = vec![variation("m", "32"), shirt("23"), variation("l", "40")];
    world.pods[0].observe(world.sightings(all.clone(), None)).await.unwrap();
    let again = world.pods[1].observe(world.sightings(all, None)).await.unwrap();
    assert_eq!(again.tally.unchanged, 3, "told in one step they stand together");
}

/// One test for each promise, for one implementation.
macro_rules! promises {
    ($name:ident, $attribute:meta, $fresh:expr) => {
        suite!(
            $name,
            $attribute,
            $fresh,
            [
                what_publishers_tell_voids_what_was_seen,
                what_comes_over_a_channel_voids_what_was_seen,
                a_hint_voids_what_was_seen_whether_it_comes_alone_or_with_what_is_seen,
                a_gap_that_may_be_about_it_voids_what_was_seen,
                a_word_about_another_product_or_one_that_is_known_voids_nothing,
                behind_the_word_of_another_no_old_value_is_told,
                what_is_told_of_a_variation_is_a_word_about_all_of_its_page,
            ]
        );
    };
}

promises!(memory_log, tokio::test(start_paused = true), memory());
promises!(redis_log, tokio::test(flavor = "multi_thread", worker_threads = 2), redis());

/// Goal: where what is needed to judge is lost, nothing is dropped.
#[tokio::test]
async fn a_streak_that_is_lost_or_unreadable_voids_what_was_seen() {
    let world = redis().await;
    for words in [
        &["DEL", "{shelfcast}:streaks"][..],
        &["HSET", "{shelfcast}:streaks", "shirt", ""],
        &["HSET", "{shelfcast}:streaks", "shirt", "rubbish"],
        &["HSET", "{shelfcast}:streaks", "shirt", "1-"],
    ] {
        world.see(0, shirt("20")).await;
        server(&world).command(words);
        assert_eq!(world.see(1, shirt("20")).await.tally, CHANGED, "{words:?}");
        assert_eq!(world.see(1, shirt("20")).await.tally, UNCHANGED, "mended: {words:?}");
    }
    server(&world).command(&["DEL", "{shelfcast}:streaks"]);
    server(&world).command(&["SET", "{shelfcast}:streaks", "of another kind"]);
    assert!(world.pods[0].observe(world.sightings(vec![shirt("20")], None)).await.is_err());
    world.say(0, vec![word("shirt")]).await;
    assert!(
        world.pods[0].observe(world.sightings(vec![shirt("20")], None)).await.is_ok(),
        "the word removed it"
    );
}

#[tokio::test]
async fn streaks_are_bounded_and_end_with_their_epoch() {
    let world = redis().await;
    world.is_told_once().await;
    let fill = "for i = 1, 100000 do redis.call('HSET', KEYS[1], 'p' .. i, '1-1') end";
    server(&world).command(&["EVAL", fill, "1", "{shelfcast}:streaks"]);
    world
        .see(0, ObservedProduct { product_id: id("trousers"), price: Some(decimal("9")), ..shirt("9") })
        .await;
    assert!(server(&world).command(&["HLEN", "{shelfcast}:streaks"]).starts_with(":100000\r"));
    assert!(server(&world).command(&["TTL", "{shelfcast}:streaks"]).starts_with(":259"));
    server(&world).command(&["HSET", "{shelfcast}:streaks", "shirt", "500-900"]);
    server(&world).command(&["DEL", "{shelfcast}:log", "{shelfcast}:meta"]);
    world.is_told_once().await;
}
