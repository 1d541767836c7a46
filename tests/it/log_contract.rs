//! What every log must do. One suite; each implementation is run through it by its own line at the end.

use std::{future::ready, sync::Arc, time::Duration};

use serde_json::value::RawValue;
use shelfcast::{
    clock::Clock,
    eventlog::{
        Append, AppendError, Appended, BodyDigest, ClaimKey, EventLog, InputGap, MemoryLog, MemoryLogConfig,
        NewEvent, RequestClaim, Tail, Tailed,
        redis::{Durability, RedisLogConfig},
    },
    model::{Data, Entry, Event, EventType, LogTime, Position, ProductId, Timestamp},
    telemetry::{Context, Way},
};
use tokio::time::{advance, sleep, timeout};

use crate::support::RedisServer;

/// A log under test, and what is to be known about it.
struct World {
    log: Arc<dyn EventLog>,
    kept: Kept,
    time: Time,
    /// Held for as long as the log is.
    _server: Option<RedisServer>,
}

/// How much the log keeps.
#[derive(Clone, Copy)]
struct Kept {
    retention_secs: u64,
    claim_ttl_secs: u64,
    events_max: usize,
    /// Entries that are surely more than it keeps, though it may keep more than `events_max`.
    too_many: usize,
}

#[derive(Clone, Copy)]
enum Time {
    Paused,
    Real,
}

impl Time {
    async fn pass(self, time: Duration) {
        match self {
            Self::Paused => advance(time).await,
            Self::Real => sleep(time).await,
        }
    }
}

fn event(i: usize) -> NewEvent {
    let data = RawValue::from_string(format!(r#"{{"i":{i}}}"#)).unwrap();
    let event = Event {
        product_id: ProductId::new("p").unwrap(),
        event_type: EventType::SaleUpdate,
        data: Data::new(&data).unwrap(),
        timestamp: Timestamp::new("2026-01-01T00:00:00Z").unwrap(),
    };
    NewEvent { event, claim: None }
}

fn claimed(i: usize, id: &str) -> NewEvent {
    NewEvent { claim: Some(ClaimKey::event(id)), ..event(i) }
}

fn request(key: &str, body: &str) -> Option<RequestClaim> {
    Some(RequestClaim { key: ClaimKey::request(key), body: BodyDigest::of(body.as_bytes()) })
}

async fn append(log: &Arc<dyn EventLog>, events: Vec<NewEvent>) -> Appended {
    log.append(Append { request: None, events, message: None }).await.unwrap()
}

/// The next `count` entries.
async fn read(tail: &mut dyn Tail, count: usize) -> Vec<Arc<Entry>> {
    let mut entries = Vec::new();
    while entries.len() < count {
        match timeout(Duration::from_secs(10), tail.next()).await.expect("nothing came").unwrap() {
            Tailed::Entries(more) => entries.extend(more),
            other => panic!("unexpected {other:?}"),
        }
    }
    entries
}

async fn start(log: &Arc<dyn EventLog>) -> Position {
    log.head().await.unwrap().position
}

async fn positions_are_dense_and_in_order(World { log, .. }: World) {
    let begin = start(&log).await;
    let mut tail = log.tail(begin);
    let one = append(&log, vec![event(1)]).await;
    let many = append(&log, vec![event(2), event(3), event(4)]).await;
    assert_eq!((one.accepted, one.cursor), (1, begin.epoch.at(begin.n + 1)));
    assert_eq!((many.accepted, many.cursor), (3, begin.epoch.at(begin.n + 4)));
    let entries = read(&mut *tail, 4).await;
    let ns: Vec<_> = entries.iter().map(|e| e.at.n - begin.n).collect();
    assert_eq!(ns, [1, 2, 3, 4]);
    assert!(entries.iter().all(|e| e.at.epoch == begin.epoch));
    let data: Vec<_> = entries.iter().map(|e| e.event.data.as_str().to_owned()).collect();
    assert_eq!(data, [r#"{"i":1}"#, r#"{"i":2}"#, r#"{"i":3}"#, r#"{"i":4}"#]);
    assert_eq!(start(&log).await, many.cursor);
}

async fn requests_at_the_same_time_do_not_mix(World { log, .. }: World) {
    let mut tail = log.tail(start(&log).await);
    // On threads of their own: in one thread they would take turns by themselves.
    std::thread::scope(|scope| {
        for r in 0..10 {
            let log = &log;
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                let appended = runtime.block_on(append(log, (0..4).map(|i| event(r * 10 + i)).collect()));
                assert_eq!(appended.accepted, 4);
            });
        }
    });
    for four in read(&mut *tail, 40).await.chunks(4) {
        let i = |e: &Entry| e.event.data.as_str()[5..].trim_end_matches('}').parse::<usize>().unwrap();
        let of_first: Vec<_> = (0..4).map(|k| i(&four[0]) + k).collect();
        assert_eq!(four.iter().map(|e| i(e)).collect::<Vec<_>>(), of_first);
    }
}

async fn every_entry_has_its_own_microsecond(World { log, .. }: World) {
    let mut tail = log.tail(start(&log).await);
    append(&log, (0..20).map(event).collect()).await;
    append(&log, (0..20).map(event).collect()).await;
    let entries = read(&mut *tail, 40).await;
    assert!(entries.is_sorted_by(|a, b| a.log_time < b.log_time));
    assert!(log.head().await.unwrap().log_time > entries[39].log_time);
}

async fn a_tail_waits_for_what_comes_and_may_be_dropped_while_it_waits(World { log, .. }: World) {
    let mut tail = log.tail(start(&log).await);
    assert!(timeout(Duration::from_millis(50), tail.next()).await.is_err());
    append(&log, vec![event(1)]).await;
    assert_eq!(read(&mut *tail, 1).await.len(), 1);
    assert!(timeout(Duration::from_millis(50), tail.next()).await.is_err(), "nothing comes twice");
    let mut next = tail.next();
    assert!(poll_once(&mut next).await.is_none());
    append(&log, vec![event(2)]).await;
    // Woken, and mostly not there yet.
    let there = poll_once(&mut next).await;
    drop(next);
    let entries = match there {
        Some(Ok(Tailed::Entries(entries))) => entries,
        _ => read(&mut *tail, 1).await,
    };
    assert_eq!(entries.len(), 1, "what woke it is not lost with it");
}

async fn poll_once<T>(future: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        done = future => Some(done),
        () = ready(()) => None,
    }
}

async fn a_tail_starts_where_it_is_told(World { log, .. }: World) {
    append(&log, (0..10).map(event).collect()).await;
    let head = start(&log).await;
    let mut tail = log.tail(head.epoch.at(head.n - 3));
    assert_eq!(read(&mut *tail, 3).await[0].at.n, head.n - 2);
}

async fn a_retried_request_gets_the_first_answer_again(World { log, .. }: World) {
    let first = Append { request: request("key", "body"), events: vec![event(1), event(2)], message: None };
    let first = log.append(first).await.unwrap();
    append(&log, vec![event(3)]).await;
    let head = start(&log).await;
    let again = Append { request: request("key", "body"), events: vec![event(1), event(2)], message: None };
    assert_eq!(log.append(again).await, Ok(Appended { repeated: true, ..first }));
    let other = Append { request: request("key", "another body"), events: vec![event(9)], message: None };
    assert_eq!(log.append(other).await, Err(AppendError::KeyReused));
    assert_eq!(start(&log).await, head, "nothing was appended");
}

async fn a_claimed_event_is_taken_once(World { log, .. }: World) {
    let first = append(&log, vec![claimed(1, "a"), claimed(2, "b"), claimed(3, "a")]).await;
    assert_eq!((first.accepted, first.duplicates), (2, 1), "twice in one request counts too");
    let at_a = first.cursor.epoch.at(first.cursor.n);
    let second = append(&log, vec![claimed(4, "c"), claimed(5, "a")]).await;
    assert_eq!((second.accepted, second.duplicates), (1, 1));
    assert_eq!(second.cursor, at_a, "the cursor is that of the last event, wherever it stands");
    let third = append(&log, vec![claimed(6, "a"), claimed(7, "b")]).await;
    assert_eq!((third.accepted, third.repeated), (0, false));
}

async fn an_event_id_is_no_idempotency_key(World { log, .. }: World) {
    append(&log, vec![claimed(1, "same")]).await;
    let other = Append { request: request("same", "body"), events: vec![event(2)], message: None };
    assert_eq!(log.append(other).await.unwrap().accepted, 1);
}

async fn a_claim_ends_with_its_time(World { log, kept, time, .. }: World) {
    append(&log, vec![claimed(1, "x")]).await;
    time.pass(Duration::from_millis(kept.claim_ttl_secs * 500)).await;
    assert_eq!(append(&log, vec![claimed(1, "x")]).await.accepted, 0);
    time.pass(Duration::from_millis(kept.claim_ttl_secs * 600)).await;
    assert_eq!(
        append(&log, vec![claimed(1, "x")]).await.accepted,
        1,
        "a repetition does not make it live longer"
    );
}

async fn a_reader_that_was_overtaken_is_told_of_its_gap(World { log, kept, .. }: World) {
    let begin = start(&log).await;
    let mut tail = log.tail(begin);
    for some in (0..kept.too_many).collect::<Vec<_>>().chunks(100) {
        append(&log, some.iter().map(|i| event(*i)).collect()).await;
    }
    let head = start(&log).await;
    let Tailed::Gap { to } = tail.next().await.unwrap() else { panic!("not told of the gap") };
    assert!(to.n > begin.n && head.n - to.n >= kept.events_max as u64, "{to} of {head}");
    let rest = usize::try_from(head.n - to.n).unwrap();
    assert_eq!(read(&mut *tail, rest).await[0].at.n, to.n + 1, "and reading goes on behind it");
}

async fn what_is_older_than_the_retention_goes(World { log, kept, time, .. }: World) {
    let begin = start(&log).await;
    append(&log, vec![event(1), event(2)]).await;
    time.pass(Duration::from_millis(kept.retention_secs * 1_000 + 100)).await;
    let head = start(&log).await;
    assert_eq!(head.n, begin.n + 2, "positions are never given twice");
    let gap = log.tail(begin).next().await.unwrap();
    assert_eq!(gap, Tailed::Gap { to: head });
}

async fn a_lost_input_is_an_entry_of_its_own(World { log, .. }: World) {
    let begin = start(&log).await;
    let mut tail = log.tail(begin);
    let product_ids = vec![ProductId::new("a").unwrap(), ProductId::new("b").unwrap()];
    append(&log, vec![event(1)]).await;
    let some = InputGap { product_ids: product_ids.clone(), lease: None };
    assert_eq!(log.append_gap(some).await, Ok(begin.epoch.at(begin.n + 2)));
    log.append_gap(InputGap { product_ids: vec![], lease: None }).await.unwrap();
    append(&log, vec![event(2)]).await;
    assert_eq!(read(&mut *tail, 1).await[0].at.n, begin.n + 1);
    let at = |n| begin.epoch.at(begin.n + n);
    assert_eq!(tail.next().await.unwrap(), Tailed::InputGap { at: at(2), product_ids });
    assert_eq!(tail.next().await.unwrap(), Tailed::InputGap { at: at(3), product_ids: vec![] });
    assert_eq!(read(&mut *tail, 1).await[0].at, at(4));
}

async fn an_event_comes_out_as_it_went_in(World { log, .. }: World) {
    let mut tail = log.tail(start(&log).await);
    let data = RawValue::from_string(
        r#"{"price":1.50,"big":12345678901234567890,"name":"Ä \"x\" \u0000 '"}"#.into(),
    );
    let event = Event {
        product_id: ProductId::new("a.b_c:d~e-F1").unwrap(),
        event_type: EventType::ProductUpdate,
        data: Data::new(&data.unwrap()).unwrap(),
        timestamp: Timestamp::new("2026-01-01T01:00:00.5+01:00").unwrap(),
    };
    append(&log, vec![NewEvent { event: event.clone(), claim: None }]).await;
    assert_eq!(read(&mut *tail, 1).await[0].event, event);
}

async fn another_life_is_another_epoch(one: World, two: World) {
    let (one, two) = (one.log, two.log);
    append(&one, vec![event(1)]).await;
    append(&two, vec![event(2)]).await;
    assert_ne!(start(&one).await.epoch, start(&two).await.epoch);
    let foreign = start(&two).await;
    let mut tail = one.tail(foreign);
    assert!(matches!(tail.next().await.unwrap(), Tailed::NewEpoch(_)));
    assert_eq!(read(&mut *tail, 1).await[0].at, start(&one).await, "and it begins at the beginning");
}

/// Goal: any pod can say who brought an entry. Method: events on somebody's behalf, and one on nobody's.
async fn an_entry_says_who_brought_it(World { log, .. }: World) {
    let mut tail = log.tail(start(&log).await);
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".parse().unwrap();
    let context = Context::of_request("pod-a".into(), "order-4711".into()).in_trace(trace, None);
    context.scope(Context::via(Way::Key(2), append(&log, vec![event(1), event(2)]))).await;
    append(&log, vec![event(3)]).await;
    let entries = read(&mut *tail, 3).await;
    for entry in &entries[..2] {
        let origin = entry.origin.as_ref().unwrap();
        assert_eq!((origin.source(), origin.pod()), ("key:2", "pod-a"));
        assert_eq!((origin.request_id(), origin.trace()), (Some("order-4711"), Some(trace)));
    }
    assert_eq!(entries[2].origin, None);
    assert!(entries[0].size_bytes() > entries[2].size_bytes(), "it is counted");
}

/// One test for each promise, for one implementation.
macro_rules! suite {
    ($name:ident, $attribute:meta, $fresh:expr, [$($promise:ident),* $(,)?]) => {
        mod $name {
            use super::*;
            $(#[$attribute]
            async fn $promise() {
                super::$promise($fresh.await).await;
            })*
        }
    };
    ($name:ident, $attribute:meta, $fresh:expr) => {
        suite!(
            $name,
            $attribute,
            $fresh,
            [
                positions_are_dense_and_in_order,
                requests_at_the_same_time_do_not_mix,
                every_entry_has_its_own_microsecond,
                a_tail_waits_for_what_comes_and_may_be_dropped_while_it_waits,
                a_tail_starts_where_it_is_told,
                a_retried_request_gets_the_first_answer_again,
                a_claimed_event_is_taken_once,
                an_event_id_is_no_idempotency_key,
                a_claim_ends_with_its_time,
                a_reader_that_was_overtaken_is_told_of_its_gap,
                what_is_older_than_the_retention_goes,
                a_lost_input_is_an_entry_of_its_own,
                an_event_comes_out_as_it_went_in,
                an_entry_says_who_brought_it,
            ]
        );
    };
}

async fn memory() -> World {
    let clock = Clock::from_tokio(LogTime::parse("2026-01-01T00:00:00Z").unwrap());
    let kept = Kept { retention_secs: 600, claim_ttl_secs: 3_600, events_max: 50, too_many: 57 };
    let config = MemoryLogConfig {
        retention_secs: kept.retention_secs,
        events_max: kept.events_max,
        bytes_max: 1024 * 1024,
        claim_ttl_secs: kept.claim_ttl_secs,
    };
    World { log: Arc::new(MemoryLog::new(config, clock)), kept, time: Time::Paused, _server: None }
}

async fn redis() -> World {
    // A stream lets go of whole nodes of 100 entries, so it may keep two more of them.
    let kept = Kept { retention_secs: 2, claim_ttl_secs: 2, events_max: 50, too_many: 400 };
    let server = RedisServer::start();
    let config = RedisLogConfig {
        retention_secs: kept.retention_secs,
        events_max: kept.events_max,
        claim_ttl_secs: kept.claim_ttl_secs,
        durability: Durability::Memory,
    };
    World { log: server.log(config).await, kept, time: Time::Real, _server: Some(server) }
}

pub(crate) use suite;

suite!(memory_log, tokio::test(start_paused = true), memory());
suite!(redis_log, tokio::test(flavor = "multi_thread", worker_threads = 2), redis());

#[tokio::test(start_paused = true)]
async fn another_life_of_a_memory_log_is_another_epoch() {
    another_life_is_another_epoch(memory().await, memory().await).await;
}

#[tokio::test]
async fn another_life_of_a_redis_log_is_another_epoch() {
    another_life_is_another_epoch(redis().await, redis().await).await;
}

/// Goal: pods of two versions share a log while they are rolled. Method: entries as an older pod writes them (no word of who
/// brought it) and as a later one may (fields nobody here knows), between two of our own.
#[tokio::test]
async fn an_entry_is_read_without_what_older_pods_lack_and_with_what_later_ones_add() {
    let World { log, _server, .. } = redis().await;
    let server = _server.unwrap();
    let mut tail = log.tail(start(&log).await);
    append(&log, vec![event(1)]).await;
    let first = read(&mut *tail, 1).await.remove(0);
    let epoch = first.at.epoch.to_string();
    let add = |n: i64, more: &[&str]| {
        let time = first.log_time.micros() + n - 1;
        let (id, b, t) = (format!("{n}-0"), (time - 1).to_string(), time.to_string());
        let mut words =
            vec!["XADD", "{shelfcast}:log", &id, "e", &epoch, "t", &t, "b", &b, "k", "sale_update"];
        words.extend(["p", "p", "d", "{}", "s", "2026-01-01T00:00:00Z"]);
        words.extend(more);
        assert!(server.command(&words).starts_with('$'), "it is added");
    };
    add(2, &[]);
    add(3, &["o", "nonsense", "zz", "later"]);
    let entries = read(&mut *tail, 2).await;
    let told: Vec<_> = entries.iter().map(|entry| (entry.at.n, entry.origin.is_some())).collect();
    assert_eq!(told, [(2, false), (3, false)]);
}

/// Goal: what is accepted is told soon after, however fast it comes. Method: a tail that is not asked for more, and appends
/// until one is refused; then the tail is read to its end.
#[tokio::test]
async fn the_log_at_redis_takes_no_more_while_what_it_took_is_not_read() {
    let World { log, _server, .. } = redis().await;
    let mut tail = log.tail(start(&log).await);
    append(&log, vec![event(0)]).await;
    read(&mut *tail, 1).await;
    let mut unread = 0;
    let refused = loop {
        let events: Vec<_> = (0..500).map(event).collect();
        match log.append(Append { request: None, events, message: None }).await {
            Ok(appended) => unread += appended.accepted,
            Err(error) => break error,
        }
        assert!(unread < 20_000, "nobody reads and all is taken");
    };
    assert!(matches!(refused, AppendError::Overloaded { .. }), "{refused:?}");
    while let Ok(tailed) = timeout(Duration::from_millis(100), tail.next()).await {
        tailed.unwrap();
    }
    append(&log, vec![event(1)]).await;
}
