//! What is told of single changes, word for word, and how much is kept.

mod properties;

use serde_json::{Value, json};

use super::*;
use crate::model::{Availability, ContentDigest, Decimal, EventType, ObservedAction, Stock, Visibility};

/// 2026-01-01, in microseconds.
const START_MICROS: i64 = 1_767_225_600_000_000;

fn at(secs: i64) -> LogTime {
    LogTime::from_micros(START_MICROS).plus_secs(secs)
}

fn id(text: &str) -> ProductId {
    ProductId::new(text).unwrap()
}

fn decimal(text: &str) -> Decimal {
    Decimal::parse(text).unwrap()
}

/// A T-shirt for 20, five of them left.
fn shirt() -> ObservedProduct {
    ObservedProduct {
        product_id: id("shirt"),
        variation_id: None,
        updated_at: None,
        action: ObservedAction::Updated,
        status: Visibility::Public,
        name: Some("T-shirt".into()),
        price: Some(decimal("20")),
        regular_price: Some(decimal("20")),
        stock: Stock { quantity: Some(decimal("5")), availability: Availability::InStock },
        sale: None,
        variants: ContentDigest::of(["M"]),
        content: ContentDigest::of(["cotton"]),
    }
}

/// Compares with what was seen last, of which nobody spoke since.
fn diff(last: &Snapshot, product: &ObservedProduct, now: LogTime) -> Difference {
    super::diff(&Last::just_seen(last.clone()), product, now)
}

/// Sees these one after the other; returns what the last one brought.
fn see(products: &[ObservedProduct]) -> (Snapshot, Vec<(EventType, Value)>) {
    let (mut last, mut told) = (Snapshot::default(), Vec::new());
    for product in products {
        (last, told) = match diff(&last, product, at(0)) {
            Difference::Outdated => (last, Vec::new()),
            Difference::None(next) => (next, Vec::new()),
            Difference::Changed(next, events) => (next, events.iter().map(read).collect()),
        };
    }
    (last, told)
}

fn read(event: &Event) -> (EventType, Value) {
    (event.event_type, serde_json::from_str(event.data.as_str()).unwrap())
}

const NOW: &str = "2026-01-01T00:00:00.000000Z";

#[test]
fn a_price_is_told_with_the_old_one_and_every_digit() {
    let (mut dear, mut cheap) = (shirt(), shirt());
    (dear.price, cheap.price) = (Some(decimal("9007199254740993.10")), Some(decimal("19.90")));
    let event = diff(&see(&[dear]).0, &cheap, at(0));
    let Difference::Changed(_, events) = event else { panic!("{event:?}") };
    assert_eq!(
        events[0].data.as_str(),
        format!(
            r#"{{"productId":"shirt","oldPrice":9007199254740993.1,"newPrice":19.9,"timestamp":"{NOW}"}}"#
        )
    );
    assert_eq!((events.len(), events[0].event_type), (1, EventType::PriceUpdate));
}

#[test]
fn stock_is_told_with_what_was_left_before() {
    let mut sold = shirt();
    sold.stock.quantity = Some(decimal("4"));
    let data = json!({"productId": "shirt", "productName": "T-shirt", "currentStock": 4, "previousStock": 5,
        "timestamp": NOW});
    assert_eq!(see(&[shirt(), sold]).1, [(EventType::InventoryUpdate, data)]);
}

#[test]
fn what_has_no_old_or_no_new_value_is_a_change_of_the_product() {
    let (mut unpriced, mut uncounted) = (shirt(), shirt());
    unpriced.price = None;
    uncounted.stock.quantity = None;
    let full = json!({"productId": "shirt", "name": "T-shirt", "price": 20, "stock": 5, "action": "updated",
        "timestamp": NOW});
    for other in [&unpriced, &uncounted] {
        assert_eq!(see(&[other.clone(), shirt()]).1, [(EventType::ProductUpdate, full.clone())]);
    }
    assert_eq!(see(&[shirt(), unpriced]).1[0].1.get("price"), None);
    assert_eq!(see(&[shirt()]).1, [(EventType::ProductUpdate, full)], "never seen: told all the same");
}

#[test]
fn a_variation_is_told_on_its_parents_page() {
    let variation = |action, quantity| ObservedProduct {
        variation_id: Some(id("shirt-m")),
        action,
        stock: Stock { quantity: Some(decimal(quantity)), availability: Availability::InStock },
        ..shirt()
    };
    let told = see(&[variation(ObservedAction::Created, "2")]).1;
    assert_eq!((&told[0].1["productId"], &told[0].1["variationId"]), (&json!("shirt"), &json!("shirt-m")));
    assert_eq!(told[0].1["action"], "updated", "the page itself is not new");
    let told = see(&[variation(ObservedAction::Created, "2"), variation(ObservedAction::Updated, "1")]).1;
    assert_eq!((told[0].0, &told[0].1["variationId"]), (EventType::InventoryUpdate, &json!("shirt-m")));
    assert_ne!(SnapshotKey::of(&shirt()), SnapshotKey::of(&variation(ObservedAction::Updated, "1")));
}

#[test]
fn a_product_that_is_gone_is_told_and_told_again_when_it_is_back_unchanged() {
    let gone = |variation: Option<&str>| Sighting::Gone {
        product_id: id("shirt"),
        variation_id: variation.map(id),
        at: at(0),
    };
    let shown = || Sighting::Shown(Box::new(shirt()));
    let sightings = [shown(), gone(None), shown(), gone(None), gone(Some("shirt-m"))];
    let changes = compare(&sightings, at(0), |_| Last::default());
    let actions: Vec<_> = changes.events.iter().map(|event| read(event).1["action"].clone()).collect();
    assert_eq!(actions, ["updated", "deleted", "updated", "deleted", "updated"]);
    assert_eq!(changes.tally, Tally { changed: 5, unchanged: 0, outdated: 0 });
    let restored = ObservedProduct { action: ObservedAction::Restored, ..shirt() };
    let told = see(&[shirt(), restored]).1;
    assert_eq!(told[0].1["action"], "created", "it was gone, though nobody said so");
}

#[test]
fn a_name_that_is_too_long_keeps_no_event_back() {
    let endless = ObservedProduct { name: Some("x".repeat(20_000).into()), ..shirt() };
    let told = see(&[endless]).1;
    assert_eq!((told[0].1.get("name"), &told[0].1["price"]), (None, &json!(20)));
}

#[test]
fn what_looks_the_same_is_told_if_something_was_said_of_it_since() {
    let overtaken = |product| Last { snapshot: see(&[product]).0, stands: false };
    let told = |last: &Last, product: &ObservedProduct| match super::diff(last, product, at(0)) {
        Difference::Changed(_, events) => events.iter().map(|event| read(event).1).collect(),
        _ => Vec::new(),
    };
    let shown = told(&overtaken(shirt()), &shirt());
    assert_eq!((shown.len(), &shown[0]["action"], &shown[0]["price"]), (1, &json!("updated"), &json!(20)));
    let hidden = ObservedProduct { status: Visibility::Hidden, ..shirt() };
    assert_eq!(told(&overtaken(hidden.clone()), &hidden)[0]["action"], "deleted");
    let cheaper = ObservedProduct { price: Some(decimal("15")), ..shirt() };
    assert_eq!(told(&overtaken(shirt()), &cheaper)[0]["oldPrice"], 20, "what was told of it last");
}

/// Goal: no rule about streaks but the two: everything since the entry is known, or it does not stand.
#[test]
fn what_was_seen_is_known_while_its_streak_goes_on_and_stands_while_nothing_is_said() {
    let (seen, void) = (see(&[shirt()]).0, Look::Unknown);
    let streak = Streak::parse("3-5");
    assert_eq!(streak.unwrap().to_string(), "3-5");
    for (n, streak, look, stands) in [
        (5, streak, &seen.look, true),
        (4, streak, &seen.look, false),
        (3, streak, &seen.look, false),
        (2, streak, &void, false),
        (5, None, &void, false),
        (0, Streak::parse("x"), &void, false),
    ] {
        let last = Last::recall(seen.clone(), n, streak);
        assert_eq!((&last.snapshot.look, last.stands), (look, stands), "{n} {streak:?}");
        assert_eq!(last.snapshot.updated_at, seen.updated_at);
    }
}

#[test]
fn a_time_far_ahead_is_not_believed() {
    let ahead = ObservedProduct { updated_at: Some(at(86_400)), ..shirt() };
    let sober = ObservedProduct { updated_at: Some(at(0)), price: Some(decimal("21")), ..shirt() };
    assert_eq!(see(&[ahead, sober]).1[0].0, EventType::PriceUpdate, "the shop's clock was put right");
}

#[test]
fn a_boundary_of_an_unknown_product_is_told_all_the_same() {
    let key = SnapshotKey::of(&shirt());
    let start = Boundary { key: key.clone(), edge: Edge::Start };
    let crossed = cross(&[(start, START_MICROS / 1_000)], |_| Snapshot::default());
    let data = json!({"productId": "shirt", "active": true, "startsAt": NOW, "timestamp": NOW});
    assert_eq!(crossed.events.iter().map(read).collect::<Vec<_>>(), [(EventType::SaleUpdate, data)]);
    assert!(crossed.snapshots.is_empty());
    let hidden = Snapshot { updated_at: None, look: Look::Hidden };
    let end = Boundary { key, edge: Edge::End };
    assert!(cross(&[(end, START_MICROS / 1_000)], |_| hidden.clone()).events.is_empty());
}

#[test]
fn what_is_kept_is_bounded() {
    let mut kept = MemorySnapshots::default();
    for i in 0..SNAPSHOTS_MAX + 10 {
        let key = SnapshotKey { product_id: id(&i.to_string()), variation_id: None };
        let snapshot = Snapshot { updated_at: Some(at(0)), look: Look::Hidden };
        kept.keep(HashMap::from([(key.clone(), Next { snapshot, told: true })]), 1);
        let at_ms = Some(at(0).micros() / 1_000 + i64::try_from(i).unwrap());
        kept.plan(vec![Planned { boundary: Boundary { key, edge: Edge::End }, at_ms }], at(-1));
    }
    let key = |i: usize| SnapshotKey { product_id: id(&i.to_string()), variation_id: None };
    let known = (0..SNAPSHOTS_MAX + 10).filter(|i| kept.get(&key(*i)).stands).count();
    assert_eq!((known, kept.waiting()), (SNAPSHOTS_MAX, BOUNDARIES_MAX));
    assert_eq!(kept.due(at(0), 10).len(), 1, "the nearest stay");
}
