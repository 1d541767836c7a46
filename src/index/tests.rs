//! What a returning client is answered, against a plain list of what happened.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::{
    clock::Clock,
    eventlog::Head,
    model::{Batch, Data, Entry, Epoch, Event, EventType, LogTime, N_MAX, Position, ProductId, Timestamp},
};

const EPOCH_BITS: u64 = 11;
const START_MICROS: i64 = 1_767_225_600_000_000;
/// Log time between two entries.
const STEP_MICROS: i64 = 700_000;

fn epoch() -> Epoch {
    Epoch::from_random(EPOCH_BITS)
}

fn product(i: u8) -> ProductId {
    ProductId::new(&format!("p{i}")).unwrap()
}

fn log_time(n: u64) -> LogTime {
    LogTime::from_micros(START_MICROS + n as i64 * STEP_MICROS)
}

fn entry(n: u64, i: u8) -> Arc<Entry> {
    Arc::new(Entry {
        at: epoch().at(n),
        log_time: log_time(n),
        event: Event {
            product_id: product(i),
            event_type: EventType::PriceUpdate,
            data: Data::new(&serde_json::value::RawValue::from_string("{}".into()).unwrap()).unwrap(),
            timestamp: Timestamp::from(log_time(n)),
        },
        message: None,
        origin: None,
    })
}

/// An index that keeps `events_max` entries, fed with one batch an event: event `n` is of product `products[n - 1]`.
fn index(products: &[u8], events_max: usize) -> Index {
    let config = IndexConfig { retention_secs: 86_400 * 365 * 100, events_max, bytes_max: usize::MAX };
    let head = Head { position: epoch().at(0), log_time: log_time(0) };
    let index = Index::new(config, Clock::from_tokio(log_time(products.len() as u64)), head);
    for (n, i) in (1_u64..).zip(products) {
        let entry = entry(n, *i);
        index.apply(&entry);
        index.record(&Batch::of(entry));
        index.cover(epoch().at(n));
    }
    index
}

/// Every `n` of the product behind `after`.
fn behind(products: &[u8], i: u8, after: u64) -> Vec<u64> {
    (1_u64..).zip(products).filter(|(n, p)| **p == i && *n > after).map(|(n, _)| n).collect()
}

fn events(answer: &Answer) -> Vec<u64> {
    match answer {
        Answer::Events(missed) => missed.entries.iter().map(|e| e.at.n).collect(),
        _ => Vec::new(),
    }
}

fn sinces() -> impl Strategy<Value = Since> {
    let n = prop_oneof![0..60_u64, 0..=N_MAX];
    let cursor = (n, prop_oneof![9 => Just(EPOCH_BITS), 1 => any::<u64>()])
        .prop_map(|(n, bits)| Since::Cursor(Epoch::from_random(bits).at(n)));
    let exact = (0..60_u64).prop_map(|n| Since::Time(log_time(n)));
    let time =
        (-20_000_000..60_000_000_i64).prop_map(|us| Since::Time(LogTime::from_micros(START_MICROS + us)));
    let text =
        prop_oneof![".{0,40}", "[a-z0-9]{8}\\.[0-9]{1,20}", "20[0-9]{2}-[01][0-9]-[0-3][0-9]T00:00:00Z"]
            .prop_map(|text| Since::parse(&text));
    prop_oneof![3 => cursor, 2 => exact, 2 => time, 2 => text]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    /// Whatever a client claims: "up to date" only if nothing of the product is behind it, "events" only if they are
    /// all there; forged, future, foreign and malformed positions are never either.
    #[test]
    fn an_answer_is_complete_or_it_says_refetch(
        products in prop::collection::vec(0..3_u8, 0..50),
        events_max in 1..50_usize,
        asked in 0..4_u8,
        since in sinces(),
    ) {
        let index = index(&products, events_max);
        let applied = products.len() as u64;
        let answer = index.resume(&product(asked), since);
        match since {
            Since::Cursor(at) if at.epoch != epoch() => {
                prop_assert_eq!(answer, Answer::Resync(ResyncReason::LogReset));
            }
            Since::Cursor(at) if at.n > applied => prop_assert_eq!(answer, Answer::Ahead),
            Since::Cursor(at) => {
                let missed = behind(&products, asked, at.n);
                match answer {
                    Answer::UpToDate => prop_assert_eq!(missed, Vec::<u64>::new()),
                    Answer::Events(_) => prop_assert_eq!(events(&answer), missed),
                    Answer::Resync(reason) => {
                        prop_assert_eq!(reason, ResyncReason::Expired);
                        prop_assert!(at.n < index.progress().floor_n, "refused without need");
                    }
                    Answer::Ahead => prop_assert!(false, "not ahead"),
                }
            }
            Since::Time(time) => {
                // A batch's own timestamp is exact; any other time must lose nothing from it on.
                let missed: Vec<_> =
                    behind(&products, asked, 0).into_iter().filter(|n| log_time(*n) > time).collect();
                match answer {
                    Answer::UpToDate => prop_assert_eq!(missed, Vec::<u64>::new()),
                    Answer::Events(_) if behind(&products, asked, 0).iter().any(|n| log_time(*n) == time) => {
                        prop_assert_eq!(events(&answer), missed);
                    }
                    Answer::Events(_) => prop_assert!(events(&answer).ends_with(&missed)),
                    Answer::Resync(reason) => prop_assert_eq!(reason, ResyncReason::Expired),
                    Answer::Ahead => prop_assert!(false, "a time is never ahead"),
                }
            }
            Since::Unreadable => prop_assert_eq!(answer, Answer::Resync(ResyncReason::Expired)),
        }
    }

    /// Each replay says what came just before it, so that a client can tell a hole.
    #[test]
    fn previous_is_the_event_before_or_the_floor(products in prop::collection::vec(0..3_u8, 1..40), after in 0..40_u64) {
        let index = index(&products, 1_000);
        if let Answer::Events(missed) = index.resume(&product(0), Since::Cursor(epoch().at(after.min(products.len() as u64)))) {
            let first = missed.entries[0].at.n;
            let before = behind(&products, 0, 0).into_iter().filter(|n| *n < first).max().unwrap_or(0);
            prop_assert_eq!(missed.previous, epoch().at(before));
        }
    }
}

fn text(position: Position) -> Since {
    Since::parse(&position.to_string())
}

#[test]
fn a_time_from_the_future_is_not_believed() {
    let index = index(&[0, 0], 100);
    let latest = index.log_time();
    assert_eq!(
        index.resume(&product(0), Since::Time(latest.plus_secs(60))),
        Answer::Resync(ResyncReason::Expired)
    );
    assert_ne!(
        index.resume(&product(0), Since::Time(latest.plus_secs(4))),
        Answer::UpToDate,
        "within the skew of clocks"
    );
}

#[test]
fn a_new_epoch_voids_everything() {
    let index = index(&[0, 1], 100);
    let before = text(epoch().at(1));
    let head = Head { position: Epoch::from_random(99).at(0), log_time: log_time(10) };
    index.reset(head);
    assert_eq!(index.resume(&product(0), before), Answer::Resync(ResyncReason::LogReset));
    assert_eq!(index.resume(&product(0), text(head.position)), Answer::UpToDate);
    assert_eq!(index.newest(&product(0)), None);
}

#[test]
fn a_gap_raises_the_floor_above_itself() {
    let index = index(&[0, 0], 100);
    index.raise_floor(epoch().at(7));
    index.skip_to(epoch().at(7));
    assert_eq!(index.resume(&product(0), text(epoch().at(6))), Answer::Resync(ResyncReason::Expired));
    assert_eq!(index.resume(&product(1), text(epoch().at(7))), Answer::UpToDate);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_ahead_is_waited_for_but_not_for_long() {
    let index = Arc::new(index(&[0], 100));
    let begin = tokio::time::Instant::now();
    assert!(!index.wait_applied(epoch().at(2)).await);
    assert_eq!(begin.elapsed(), Index::AHEAD_WAIT);
    let feed = async {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        index.apply(&entry(2, 0));
    };
    let (came, ()) = tokio::join!(index.wait_applied(epoch().at(2)), feed);
    assert!(came);
}

#[test]
fn retention_by_time_lets_the_oldest_go() {
    let config = IndexConfig { retention_secs: 10, events_max: 100, bytes_max: usize::MAX };
    let head = Head { position: epoch().at(0), log_time: log_time(0) };
    let index = Index::new(config, Clock::from_tokio(log_time(1).plus_secs(11)), head);
    for n in 1..=2 {
        let entry = entry(n, 0);
        index.apply(&entry);
        index.record(&Batch::of(entry));
    }
    assert_eq!(index.progress().floor_n, 2, "both are older than ten seconds");
    assert_eq!(index.resume(&product(0), text(epoch().at(1))), Answer::Resync(ResyncReason::Expired));
}

/// Found by the simulation: the server came back without data and with its clock an hour back.
#[tokio::test(start_paused = true)]
async fn a_timestamp_of_another_epoch_is_not_answered_by_a_log_whose_clock_went_back() {
    let config = IndexConfig { retention_secs: 86_400, events_max: 100, bytes_max: usize::MAX };
    let hour_ahead = Clock::from_tokio(log_time(0).plus_secs(3_600));
    let head = Head { position: epoch().at(0), log_time: log_time(0) };
    let told_before = Since::Time(log_time(0).plus_secs(3_595));
    let refetch = Answer::Resync(ResyncReason::Expired);
    for started_later in [false, true] {
        let index = Index::new(config, hour_ahead, head);
        if started_later {
            index.start_behind(head, log_time(0));
        } else {
            index.reset(head);
        }
        for n in 1..=3 {
            index.recover(&[entry(n, 0)]);
        }
        assert_eq!(index.resume(&product(0), told_before), refetch);
        assert_eq!(
            index.resume(&product(0), Since::Time(log_time(3))),
            Answer::UpToDate,
            "it names an entry"
        );
    }
}
