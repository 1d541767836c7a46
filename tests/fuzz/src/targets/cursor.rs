//! Cursors and times that clients bring: how they read, and what a log of 24 entries answers to them.
//!
//! An input is the text a client sends. A cursor of the log begins `b0000000.`; the log remembers what comes behind 12.

use std::{
    cell::OnceCell,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use shelfcast::{
    clock::Clock,
    eventlog::Head,
    fanout::{Delivery, Hub, HubConfig, IfAhead, Lane, Outcome, Parcel, PositionBeat, Resync},
    index::{Answer, Index, IndexConfig, Since},
    model::{Data, Entry, Event, EventType, LogTime, N_MAX, Position, ProductId, Timestamp},
    telemetry::{Metrics, Transport},
};

use super::events::{at, raw};

/// The newest entry.
const HEAD: u64 = 24;
/// What came at or before it is forgotten.
const FLOOR: u64 = 12;
const PRODUCTS: u64 = 3;

/// Runs one input.
pub fn run(input: &[u8]) {
    // As the header `Last-Event-ID` is read.
    let text = String::from_utf8_lossy(input);
    check_text(&text);
    let since = Since::parse(&text);
    thread_local!(static HUB: OnceCell<Hub> = const { OnceCell::new() });
    HUB.with(|hub| check_answers(hub.get_or_init(hub_with_a_log), since));
}

fn check_text(text: &str) {
    let position = text.parse::<Position>();
    if let Ok(position) = position {
        assert_eq!(position.to_string(), text, "a cursor has one spelling");
        assert!(position.n <= N_MAX);
        assert_eq!(Since::parse(text), Since::Cursor(position));
    }
    if let Some(time) = LogTime::parse(text) {
        assert!(position.is_err(), "a text is both a cursor and a time");
        let told = time.to_string();
        assert!(told.len() == 27 && LogTime::parse(&told) == Some(time), "{told} is not read as it was told");
    }
    if let Ok(timestamp) = Timestamp::new(text) {
        assert_eq!(timestamp.as_str(), text);
        let plain = |byte: u8| (b' '..=b'~').contains(&byte) && !b"\"\\".contains(&byte);
        assert!(text.bytes().all(plain), "a timestamp that JSON has to escape");
    }
}

/// Whatever a client says, it is never left with a gap: `up_to_date` and `events` are complete or not said at all.
fn check_answers(hub: &Hub, since: Since) {
    for product in 0..PRODUCTS {
        let id = product_id(product);
        let answer = hub.index().resume(&id, since);
        match since {
            Since::Cursor(told) if told.epoch != at(0).epoch => assert!(matches!(answer, Answer::Resync(_))),
            Since::Cursor(told) if told.n > HEAD => assert_eq!(answer, Answer::Ahead, "nothing is there yet"),
            Since::Cursor(told) if told.n < FLOOR => assert!(matches!(answer, Answer::Resync(_))),
            Since::Cursor(told) => assert_eq!(answered(&answer), Some(behind(product, told.n))),
            Since::Time(time) => {
                if let Some(answered) = answered(&answer) {
                    let missed = behind(product, 0);
                    let missed: Vec<_> = missed.into_iter().filter(|n| log_time(*n) > time).collect();
                    assert!(answered.ends_with(&missed), "{missed:?} was missed, told was {answered:?}");
                }
                assert_ne!(answer, Answer::Ahead);
            }
            Since::Unreadable => assert!(matches!(answer, Answer::Resync(_))),
        }
        assert_eq!(outcome(hub, &id, since), expected(&answer));
    }
}

/// What a client gets that has waited as long as it may.
fn expected(answer: &Answer) -> Outcome {
    match answer {
        Answer::UpToDate => Outcome::UpToDate,
        Answer::Events(_) => Outcome::Events,
        Answer::Resync(_) | Answer::Ahead => Outcome::Resync,
    }
}

fn outcome(hub: &Hub, id: &ProductId, since: Since) -> Outcome {
    let frames = Arc::new(AtomicUsize::new(0));
    let client = hub.connect(Box::new(Counting(Arc::clone(&frames))), true, None);
    let outcome = hub.join(&client, id, Some(since), IfAhead::GiveUp).expect("one product is not too many");
    hub.disconnect(client.id());
    assert_eq!(
        outcome == Outcome::Events,
        frames.load(Ordering::Relaxed) > 0,
        "events are told with the answer"
    );
    outcome
}

/// Every `n` a client was told of; `None`: it was told to refetch.
fn answered(answer: &Answer) -> Option<Vec<u64>> {
    match answer {
        Answer::UpToDate => Some(Vec::new()),
        Answer::Events(missed) => Some(missed.entries.iter().map(|entry| entry.at.n).collect()),
        Answer::Resync(_) | Answer::Ahead => None,
    }
}

// === a log ===

fn hub_with_a_log() -> Hub {
    let config = IndexConfig {
        retention_secs: 86_400 * 365 * 100,
        events_max: (HEAD - FLOOR) as usize,
        bytes_max: usize::MAX,
    };
    let start = Head { position: at(0), log_time: log_time(0) };
    let index = Index::new(config, Clock::from_tokio(log_time(HEAD)), start);
    let entries: Vec<_> = (1..=HEAD).map(entry).collect();
    index.recover(&entries);
    assert_eq!(index.progress().floor_n, FLOOR);
    let config = HubConfig {
        sessions_max: 1,
        sessions_per_address_max: None,
        products_max: 200,
        batch_events_max: 100,
        batch_bytes_max: 256 * 1024,
        queue_max: 512,
        origin_rps_budget: None,
    };
    Hub::new(config, Arc::new(index), Arc::new(Metrics::new().expect("metrics")))
}

fn entry(n: u64) -> Arc<Entry> {
    let event = Event {
        product_id: product_id(n % PRODUCTS),
        event_type: EventType::PriceUpdate,
        data: Data::new(&raw("{}")).expect("an object"),
        timestamp: log_time(n).into(),
    };
    Arc::new(Entry { at: at(n), log_time: log_time(n), event, message: None, origin: None })
}

fn product_id(i: u64) -> ProductId {
    ProductId::new(&format!("p{i}")).expect("an id")
}

/// One entry a second, from the beginning of 2026.
fn log_time(n: u64) -> LogTime {
    LogTime::from_micros(1_767_225_600_000_000 + n as i64 * 1_000_000)
}

/// Every `n` of a product that is remembered behind `after`.
fn behind(product: u64, after: u64) -> Vec<u64> {
    (after.max(FLOOR) + 1..=HEAD).filter(|n| n % PRODUCTS == product).collect()
}

/// A client that takes everything and counts the frames.
#[derive(Debug)]
struct Counting(Arc<AtomicUsize>);

impl Lane for Counting {
    fn is_flushed(&self) -> bool {
        true
    }

    fn close(&self) {}

    fn cut(&self) {}

    fn transport(&self) -> Transport {
        Transport::Sse
    }

    fn frame(&self, _: &Parcel, _: bool) -> Delivery {
        self.0.fetch_add(1, Ordering::Relaxed);
        Delivery::Sent
    }

    fn resync(&self, _: &Resync, _: bool) -> Delivery {
        Delivery::Sent
    }

    fn beat(&self, _: Option<&PositionBeat>) -> Delivery {
        Delivery::Sent
    }

    fn is_gone(&self) -> bool {
        false
    }
}
