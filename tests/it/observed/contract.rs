//! What every log must do with products that a shop shows. One suite; each implementation is run through it by its own line
//! at the end, the one on Redis as two pods.

use std::time::Duration;

use serde_json::{Value, json, value::RawValue};
use shelfcast::{
    eventlog::{
        AppendError, ClaimKey, NewEvent,
        snapshots::{Fired, Sighting, Sightings, Tally},
    },
    model::{Data, Event, EventType, ObservedProduct, ProductId, Timestamp, Visibility},
};

use super::{CHANGED, OUTDATED, UNCHANGED, World, decimal, memory, on_sale, redis, request, shirt, updated};
use crate::log_contract::suite;

async fn the_first_sight_is_told_and_then_what_changed(mut world: World) {
    let first = world.see(0, shirt("20")).await;
    let mut sold = shirt("15.50");
    sold.stock.quantity = Some(decimal("4"));
    let second = world.see(1, sold).await;
    assert_eq!((first.appended.accepted, first.tally), (1, CHANGED));
    assert_eq!((second.appended.accepted, second.tally), (2, CHANGED), "both were changed by one sighting");
    assert_eq!(world.told().await, ["product 20", "price 20 -> 15.5", "stock 5 -> 4"]);
    assert_eq!(world.pods[0].head().await.unwrap().position, second.appended.cursor);
}

async fn what_changes_nothing_is_dropped_and_counted(mut world: World) {
    let first = world.see(0, shirt("20")).await;
    for pod in [0, 1, 0] {
        let again = world.see(pod, shirt("20.00")).await;
        assert_eq!((again.appended.accepted, again.tally), (0, UNCHANGED));
        assert_eq!(again.appended.cursor, first.appended.cursor, "where the log stands");
    }
    assert_eq!(world.told().await.len(), 1);
}

/// A copy in each pod would lose the way back: the first pod never saw 12.
async fn a_price_that_goes_there_and_back_over_two_pods_is_told_both_times(mut world: World) {
    for (pod, price) in [(0, "10"), (1, "12"), (0, "10")] {
        world.see(pod, shirt(price)).await;
    }
    assert_eq!(world.told().await, ["product 10", "price 10 -> 12", "price 12 -> 10"]);
}

async fn what_comes_late_takes_nothing_back(mut world: World) {
    let now = world.clock.now();
    world.see(0, updated("10", now.plus_secs(-60))).await;
    // Nothing visible changed, but when.
    assert_eq!(world.see(1, updated("10", now.plus_secs(-20))).await.tally, UNCHANGED);
    assert_eq!(world.see(0, updated("12", now.plus_secs(-40))).await.tally, OUTDATED);
    world.see(1, updated("11", now)).await;
    assert_eq!(world.see(1, updated("10", now.plus_secs(-20))).await.tally, OUTDATED);
    assert_eq!(world.see(0, updated("9", now)).await.tally, CHANGED, "the same second is not older");
    assert_eq!(world.told().await, ["product 10", "price 10 -> 11", "price 11 -> 9"]);
}

async fn a_claim_decides_before_anything_is_compared(mut world: World) {
    let deliver = |price, key, body| world.sightings(vec![shirt(price)], request(key, body));
    let first = world.pods[0].observe(deliver("20", "d1", "20")).await.unwrap();
    world.pods[1].observe(deliver("15", "d2", "15")).await.unwrap();
    for pod in [0, 1].repeat(50) {
        let again = world.pods[pod].observe(deliver("20", "d1", "20")).await.unwrap();
        assert!(again.appended.repeated);
        assert_eq!((again.appended.cursor, again.tally), (first.appended.cursor, Tally::default()));
    }
    let other = world.pods[0].observe(deliver("99", "d1", "99")).await;
    assert_eq!(other, Err(AppendError::KeyReused));
    // What changed nothing is claimed as well, and what was refused left no trace.
    world.pods[0].observe(deliver("15", "d3", "15")).await.unwrap();
    assert!(world.pods[1].observe(deliver("15", "d3", "15")).await.unwrap().appended.repeated);
    world.see(0, shirt("20")).await;
    assert_eq!(world.told().await, ["product 20", "price 20 -> 15", "price 15 -> 20"]);
}

async fn several_products_of_a_request_are_taken_together(mut world: World) {
    let trousers = ObservedProduct { product_id: ProductId::new("trousers").unwrap(), ..shirt("50") };
    let variation = ObservedProduct { variation_id: Some(ProductId::new("shirt-m").unwrap()), ..shirt("18") };
    world.see(0, shirt("20")).await;
    let products = vec![shirt("20"), trousers, variation, shirt("15"), shirt("20"), shirt("20")];
    let observed = world.pods[1].observe(world.sightings(products, None)).await.unwrap();
    assert_eq!(observed.tally, Tally { changed: 4, unchanged: 2, outdated: 0 });
    let told = ["product 20", "product 50", "product 18", "price 20 -> 15", "price 15 -> 20"];
    assert_eq!(world.told().await, told);
}

async fn what_a_delivery_tells_besides_stands_before_it(mut world: World) {
    let hint = || {
        let data =
            RawValue::from_string(r#"{"productId":"shirt","previousStock":1,"currentStock":0}"#.into());
        let event = Event {
            product_id: ProductId::new("shirt").unwrap(),
            event_type: EventType::InventoryUpdate,
            data: Data::new(&data.unwrap()).unwrap(),
            timestamp: Timestamp::from(world.clock.now()),
        };
        NewEvent { event, claim: Some(ClaimKey::event("hint")) }
    };
    let deliver = |pod: usize| {
        let sightings = world.sightings(vec![shirt("20")], None);
        world.pods[pod].observe(Sightings { events: vec![hint(), hint()], ..sightings })
    };
    let (first, second) = (deliver(0).await.unwrap(), deliver(1).await.unwrap());
    assert_eq!((first.appended.accepted, first.appended.duplicates, first.tally), (2, 1, CHANGED));
    assert_eq!((second.appended.accepted, second.appended.duplicates, second.tally), (0, 2, UNCHANGED));
    assert_eq!(world.told().await, ["stock 1 -> 0", "product 20"]);
}

async fn a_product_that_comes_back_as_it_was_is_told(mut world: World) {
    world.see(0, shirt("20")).await;
    let product_id = ProductId::new("shirt").unwrap();
    for pod in [1, 0] {
        let at = world.clock.now();
        let gone = Sighting::Gone { product_id: product_id.clone(), variation_id: None, at };
        let sightings = Sightings { sightings: vec![gone], ..world.sightings(vec![], None) };
        assert_eq!(world.pods[pod].observe(sightings).await.unwrap().tally, CHANGED);
        assert_eq!(world.see(pod, shirt("20")).await.tally, CHANGED);
    }
    let entries = world.entries().await;
    let actions = entries.iter().map(|entry| {
        let data: Value = serde_json::from_str(entry.event.data.as_str()).unwrap();
        data["action"].as_str().unwrap().to_owned()
    });
    assert_eq!(actions.collect::<Vec<_>>(), ["updated", "deleted", "updated", "deleted", "updated"]);
}

/// Goal: whoever sees what at the same time, each change is told with what was told before it. Method: both pods see prices
/// at once, on threads of their own; then the log is read as a shopper reads it.
async fn prices_seen_at_the_same_time_are_told_as_one_chain(mut world: World) {
    world.see(0, shirt("1000")).await;
    std::thread::scope(|scope| {
        for thread in 0..6 {
            let world = &world;
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                for i in 0..20 {
                    let price = (i * 7 + thread) % 5;
                    runtime.block_on(world.see(thread % 2, shirt(&price.to_string())));
                }
            });
        }
    });
    let told = world.told().await;
    assert_eq!(told[0], "product 1000");
    let mut price = "1000".to_owned();
    for change in &told[1..] {
        let (old, new) = change.strip_prefix("price ").unwrap().split_once(" -> ").unwrap();
        assert_eq!(old, price, "{told:?}");
        assert_ne!(old, new);
        price = new.to_owned();
    }
    // What is kept is what was told last.
    assert_eq!(world.see(1, shirt(&price)).await.tally, UNCHANGED);
}

async fn a_sale_is_told_at_both_its_instants_and_once(mut world: World) {
    let now = world.clock.now();
    let (start, end) = (now.plus_secs(1), now.plus_secs(2));
    world.see(0, on_sale(start, end)).await;
    assert_eq!((world.fire(0).await, world.fire(1).await), (0, 0), "not before its time");
    assert_eq!(world.told().await, ["product 20"]);
    world.pass(Duration::from_millis(1_000)).await;
    assert_eq!((world.fire(0).await, world.fire(1).await), (1, 0), "by one pod");
    let entries = world.entries().await;
    let data: Value = serde_json::from_str(entries[0].event.data.as_str()).unwrap();
    let (start, end) = (start.to_string(), end.to_string());
    let expected = json!({"productId": "shirt", "active": true, "discountPercentage": 25, "startsAt": start,
        "endsAt": end, "timestamp": data["timestamp"]});
    assert_eq!((entries.len(), &data), (1, &expected));
    // The shop tells of it in its own time. What the price is now only it knows, so it is told once more.
    let mut running = on_sale(now.plus_secs(1), now.plus_secs(2));
    running.sale.as_mut().unwrap().active = true;
    assert_eq!(world.see(1, running.clone()).await.tally, CHANGED);
    assert_eq!(world.see(0, running).await.tally, UNCHANGED);
    assert_eq!(world.told().await, ["product 20"]);
    world.pass(Duration::from_millis(1_000)).await;
    assert_eq!((world.fire(1).await, world.fire(0).await), (1, 0));
    assert_eq!(world.told().await, ["sale off"]);
    world.see(0, shirt("21")).await;
    assert_eq!(world.told().await, ["price 20 -> 21"], "no sale is as good as one that is over");
}

async fn a_sale_that_is_moved_or_cancelled_is_not_told_at_its_old_instant(mut world: World) {
    let now = world.clock.now();
    world.see(0, on_sale(now.plus_secs(1), now.plus_secs(100))).await;
    world.see(1, on_sale(now.plus_secs(50), now.plus_secs(100))).await;
    world.pass(Duration::from_millis(1_500)).await;
    assert_eq!(world.fire(0).await, 0);
    assert_eq!(world.told().await, ["product 20", "sale off"], "a plan that changed is told");
    let now = world.clock.now();
    world.see(0, on_sale(now.plus_secs(1), now.plus_secs(100))).await;
    world.see(0, shirt("20")).await;
    let hidden = ObservedProduct { status: Visibility::Hidden, ..on_sale(now.plus_secs(1), now) };
    world.see(1, hidden).await;
    world.pass(Duration::from_millis(1_500)).await;
    assert_eq!(world.fire(0).await, 0);
    assert_eq!(world.pods[1].fire_sales(None).await.unwrap().waiting, 0);
}

async fn what_the_shop_told_before_the_timer_is_not_told_again(mut world: World) {
    let now = world.clock.now();
    world.see(0, on_sale(now.plus_secs(1), now.plus_secs(100))).await;
    world.pass(Duration::from_millis(1_100)).await;
    assert_eq!(world.see(1, on_sale(now.plus_secs(1), now.plus_secs(100))).await.tally, CHANGED);
    assert_eq!(world.fire(0).await, 1, "done with");
    assert_eq!(world.told().await, ["product 20", "sale on"]);
}

async fn an_instant_that_has_passed_is_not_kept(mut world: World) {
    let now = world.clock.now();
    world.see(0, on_sale(now.plus_secs(-1), now.plus_secs(100))).await;
    assert_eq!(world.pods[0].fire_sales(None).await.unwrap(), Fired { fired: 0, told: 0, waiting: 1 });
    assert_eq!(world.told().await, ["product 20"]);
}

async fn a_thousand_sales_that_begin_together_are_all_told(mut world: World) {
    let start = world.clock.now().plus_secs(2);
    for hundred in 0..10 {
        let product = |i: i32| ObservedProduct {
            product_id: ProductId::new(&format!("p{}", hundred * 100 + i)).unwrap(),
            ..on_sale(start, start.plus_secs(1_000))
        };
        world.pods[0].observe(world.sightings((0..100).map(product).collect(), None)).await.unwrap();
    }
    world.pass(Duration::from_millis(2_100)).await;
    let mut fired = 0;
    while let more @ 1.. = world.fire(fired % 2).await {
        fired += more;
    }
    assert_eq!(fired, 1_000);
    let on = world.told().await.iter().filter(|told| *told == "sale on").count();
    assert_eq!(on, 1_000);
}

/// One test for each promise, for one implementation.
macro_rules! promises {
    ($name:ident, $attribute:meta, $fresh:expr) => {
        suite!(
            $name,
            $attribute,
            $fresh,
            [
                the_first_sight_is_told_and_then_what_changed,
                what_changes_nothing_is_dropped_and_counted,
                a_price_that_goes_there_and_back_over_two_pods_is_told_both_times,
                what_comes_late_takes_nothing_back,
                a_claim_decides_before_anything_is_compared,
                several_products_of_a_request_are_taken_together,
                what_a_delivery_tells_besides_stands_before_it,
                a_product_that_comes_back_as_it_was_is_told,
                prices_seen_at_the_same_time_are_told_as_one_chain,
                a_sale_is_told_at_both_its_instants_and_once,
                a_sale_that_is_moved_or_cancelled_is_not_told_at_its_old_instant,
                what_the_shop_told_before_the_timer_is_not_told_again,
                an_instant_that_has_passed_is_not_kept,
                a_thousand_sales_that_begin_together_are_all_told,
            ]
        );
    };
}

promises!(memory_log, tokio::test(start_paused = true), memory());
promises!(redis_log, tokio::test(flavor = "multi_thread", worker_threads = 2), redis());
