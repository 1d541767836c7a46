//! What must hold of every comparison: nothing visible is kept back, nothing is told twice, nothing hidden is told.

use proptest::{collection::vec, option, prelude::*, sample::select};
use serde_json::json;

use super::*;
use crate::model::Sale;

fn products() -> impl Strategy<Value = ObservedProduct> {
    let number = || option::weighted(0.8, select(vec!["0", "5", "5.5", "20"]).prop_map(decimal));
    let time = || option::weighted(0.7, (-50_i64..50).prop_map(at));
    let availability = select(vec![
        Availability::InStock,
        Availability::OutOfStock,
        Availability::OnBackorder,
        Availability::Unknown,
    ]);
    let sale = (any::<bool>(), time(), time(), number())
        .prop_map(|(active, starts_at, ends_at, discount)| Sale { active, starts_at, ends_at, discount });
    let digest = || select(vec!["a", "b"]).prop_map(|part| ContentDigest::of([part]));
    let action = select(vec![ObservedAction::Created, ObservedAction::Updated, ObservedAction::Restored]);
    let status = prop_oneof![4 => Just(Visibility::Public), 1 => Just(Visibility::Hidden)];
    let variation = option::weighted(0.3, Just(id("shirt-m")));
    let identity = (variation, time(), action, status);
    let looks = (number(), number(), number(), availability, option::of(sale), digest(), digest());
    (identity, looks).prop_map(|(identity, looks)| ObservedProduct {
        product_id: id("shirt"),
        variation_id: identity.0,
        updated_at: identity.1,
        action: identity.2,
        status: identity.3,
        name: Some("T-shirt".into()),
        price: looks.0,
        regular_price: looks.1,
        stock: Stock { quantity: looks.2, availability: looks.3 },
        sale: looks.4,
        variants: looks.5,
        content: looks.6,
    })
}

/// A product, and the same with some fields of another: two at random have hardly a field in common.
fn related() -> impl Strategy<Value = (Snapshot, ObservedProduct)> {
    let other = (products(), vec(prop::bool::weighted(0.15), 7));
    (products(), other).prop_map(|(first, (other, takes))| {
        let mut second = first.clone();
        second.action = other.action;
        let fields: [fn(&mut ObservedProduct, &ObservedProduct); 7] = [
            |to, from| to.price.clone_from(&from.price),
            |to, from| to.regular_price.clone_from(&from.regular_price),
            |to, from| to.stock.quantity.clone_from(&from.stock.quantity),
            |to, from| to.stock.availability = from.stock.availability,
            |to, from| to.sale.clone_from(&from.sale),
            |to, from| to.variants = from.variants,
            |to, from| to.content = from.content,
        ];
        fields.iter().zip(takes).filter(|(_, take)| *take).for_each(|(field, _)| field(&mut second, &other));
        (see(&[first]).0, second)
    })
}

fn snapshots() -> impl Strategy<Value = Snapshot> {
    prop_oneof![
        1 => Just(Snapshot::default()),
        8 => products().prop_map(|product| see(&[product]).0),
    ]
}

proptest! {
    #[test]
    fn something_is_told_exactly_if_something_looks_different(
        (last, product) in prop_oneof![1 => (snapshots(), products()), 3 => related()],
    ) {
        let outdated = product.updated_at.zip(last.updated_at).is_some_and(|(this, newest)| this < newest);
        let look = Look::of(&product, at(0));
        let back = product.action == ObservedAction::Restored && matches!(look, Look::Shown(_));
        match diff(&last, &product, at(0)) {
            Difference::Outdated => prop_assert!(outdated),
            Difference::None(next) => {
                prop_assert!(!outdated && !back && last.look == look && look != Look::Unknown);
                prop_assert_eq!(next.look, last.look);
            }
            Difference::Changed(next, events) => {
                prop_assert!(!outdated && (last.look != look || back));
                prop_assert_eq!(next.look, look);
                prop_assert!(!events.is_empty());
            }
        }
    }

    #[test]
    fn what_is_seen_again_is_not_told_again(last in snapshots(), mut product in products()) {
        if let Difference::None(next) | Difference::Changed(next, _) = diff(&last, &product, at(0)) {
            product.action = ObservedAction::Updated;
            prop_assert_eq!(diff(&next, &product, at(0)), Difference::None(next));
        }
    }

    #[test]
    fn time_never_goes_back(seen in vec(products(), 1..10)) {
        let mut last = Snapshot::default();
        for product in seen {
            let newest = product.updated_at.max(last.updated_at);
            if let Difference::None(next) | Difference::Changed(next, _) = diff(&last, &product, at(0)) {
                prop_assert_eq!(next.updated_at, newest);
                last = next;
            }
        }
    }

    #[test]
    fn every_old_value_is_the_one_that_was_seen_before(seen in vec(products(), 1..10)) {
        let mut last = Snapshot::default();
        for product in seen {
            let difference = diff(&last, &product, at(0));
            let Difference::Changed(next, events) = difference else {
                if let Difference::None(next) = difference { last = next }
                continue;
            };
            for (event_type, data) in events.iter().map(read) {
                let number = |look: &Look, stock: bool| match look {
                    Look::Shown(shown) if stock => shown.stock.quantity.as_ref().map(|n| json!(n)),
                    Look::Shown(shown) => shown.price.as_ref().map(|n| json!(n)),
                    _ => None,
                };
                let (old, new, stock) = match event_type {
                    EventType::PriceUpdate => ("oldPrice", "newPrice", false),
                    EventType::InventoryUpdate => ("previousStock", "currentStock", true),
                    EventType::ProductUpdate | EventType::SaleUpdate => continue,
                };
                prop_assert_eq!(data.get(old).cloned(), number(&last.look, stock));
                prop_assert_eq!(data.get(new).cloned(), number(&next.look, stock));
                prop_assert!(data[old].is_number() && data[new].is_number() && data[old] != data[new]);
            }
            last = next;
        }
    }

    #[test]
    fn of_a_hidden_product_nothing_is_told_but_its_id(last in snapshots(), mut product in products()) {
        product.status = Visibility::Hidden;
        if let Difference::Changed(next, events) = diff(&last, &product, at(0)) {
            prop_assert_eq!(next.look, Look::Hidden);
            for (event_type, data) in events.iter().map(read) {
                prop_assert_eq!(event_type, EventType::ProductUpdate);
                let told: Vec<_> = data.as_object().unwrap().keys().cloned().collect();
                let may = ["productId", "variationId", "action", "timestamp"];
                let action = if data.get("variationId").is_some() { "updated" } else { "deleted" };
                prop_assert_eq!(&data["action"], action);
                prop_assert!(told.iter().all(|field| may.contains(&field.as_str())), "{:?}", told);
            }
        }
    }

    #[test]
    fn a_snapshot_reads_as_it_was_written(snapshot in snapshots()) {
        prop_assert_eq!(Snapshot::from_text(&snapshot.to_text()), snapshot.clone());
        prop_assert!(snapshot.to_text().len() < 400, "{}", snapshot.to_text());
    }

    #[test]
    fn what_is_no_snapshot_was_never_seen(text in "\\PC{0,80}|\\{.{0,40}\\}") {
        prop_assert_eq!(Snapshot::from_text(&text).look, Look::Unknown);
    }

    #[test]
    fn keys_and_boundaries_read_as_they_print(variation in option::of("[A-Za-z0-9._:~-]{1,128}"), start: bool) {
        let key = SnapshotKey { product_id: id("start"), variation_id: variation.as_deref().map(id) };
        let boundary = Boundary { key: key.clone(), edge: if start { Edge::Start } else { Edge::End } };
        prop_assert_eq!(SnapshotKey::parse(&key.to_string()), Some(key));
        prop_assert_eq!(Boundary::parse(&boundary.to_string()), Some(boundary));
    }

    /// Goal: a shopper always knows whether a sale is on. Method: a shop plans, moves and cancels a sale and shows the product
    /// now and then, with the word of that moment or of a while ago; the timer runs now and then. Whenever it has run, what
    /// was told last is what is so.
    #[test]
    fn whenever_the_timer_has_run_shoppers_know_whether_the_sale_is_on(steps in vec(steps(), 1..40)) {
        let (mut kept, mut shop, mut now, mut told) = (Kept::default(), shirt(), at(0), false);
        for step in steps {
            let events = match step {
                Step::Wait(secs) => {
                    now = now.plus_secs(secs);
                    continue;
                }
                Step::Plan(times) => {
                    let sale = |(start, length)| {
                        let starts_at = Some(now.plus_secs(start));
                        let ends_at = Some(now.plus_secs(start + length));
                        Sale { active: start <= 0, starts_at, ends_at, discount: None }
                    };
                    shop.sale = times.map(sale);
                    shop.updated_at = Some(now);
                    kept.show(&shop, now)
                }
                Step::Show => {
                    if let Some(sale) = &mut shop.sale {
                        sale.active = is_on(sale, now);
                    }
                    kept.show(&shop, now)
                }
                // As it was rendered when it was changed.
                Step::ShowLate => kept.show(&shop, now),
                Step::Timer => kept.fire(now),
            };
            for (event_type, data) in events.iter().map(read) {
                match event_type {
                    EventType::SaleUpdate => {
                        let active = data["active"].as_bool().unwrap();
                        prop_assert!(active != told || step != Step::Timer, "told twice: {}", data);
                        told = active;
                    }
                    // The first sight: the page fetches the product.
                    _ => told = shop.sale.as_ref().is_some_and(|sale| is_on(sale, now)),
                }
            }
            if step == Step::Timer {
                prop_assert_eq!(told, shop.sale.as_ref().is_some_and(|sale| is_on(sale, now)));
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Step {
    Wait(i64),
    /// From so many seconds ahead, for so many; or there is none any more.
    Plan(Option<(i64, i64)>),
    Show,
    ShowLate,
    Timer,
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1_i64..8).prop_map(Step::Wait),
        1 => option::weighted(0.8, (-3_i64..10, 1_i64..10)).prop_map(Step::Plan),
        2 => Just(Step::Show),
        1 => Just(Step::ShowLate),
        3 => Just(Step::Timer),
    ]
}

fn is_on(sale: &Sale, now: LogTime) -> bool {
    sale.starts_at.is_none_or(|start| start <= now) && sale.ends_at.is_none_or(|end| now < end)
}

/// What is kept beside a log, and how many entries that has.
#[derive(Default)]
struct Kept {
    snapshots: MemorySnapshots,
    n: u64,
}

impl Kept {
    fn show(&mut self, product: &ObservedProduct, now: LogTime) -> Vec<Event> {
        let sightings = [Sighting::Shown(Box::new(product.clone()))];
        let changes = compare(&sightings, now, |key| self.snapshots.get(key));
        self.append(&changes.events, changes.snapshots);
        self.snapshots.plan(changes.planned, now);
        changes.events
    }

    fn fire(&mut self, now: LogTime) -> Vec<Event> {
        let due = self.snapshots.due(now, usize::MAX);
        let crossed = cross(&due, |key| self.snapshots.get(key).snapshot);
        self.append(&crossed.events, crossed.snapshots);
        due.iter().for_each(|(boundary, _)| self.snapshots.forget(boundary));
        crossed.events
    }

    fn append(&mut self, told: &[Event], snapshots: HashMap<SnapshotKey, Next>) {
        for event in told {
            self.n += 1;
            self.snapshots.go_on(&event.product_id, self.n);
        }
        self.snapshots.keep(snapshots, self.n);
    }
}
