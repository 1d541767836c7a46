//! Requests that come at the same time go to Redis as one call. Each is answered, and kept, as if it had come alone: what that
//! is, the log in memory tells, which is given the same requests one after the other. Real Redis.

use std::{
    sync::Arc,
    task::Poll::{Pending, Ready},
    time::Duration,
};

use proptest::{collection::vec, option, prelude::*, test_runner::TestRunner};
use serde_json::value::RawValue;
use shelfcast::{
    clock::Clock,
    eventlog::{
        Append, AppendError, Appended, BodyDigest, ClaimKey, EventLog, MemoryLog, MemoryLogConfig, NewEvent,
        RequestClaim, Tailed,
        redis::{Durability, RedisLogConfig},
    },
    model::{Data, Entry, Event, EventType, ProductId, Timestamp},
    telemetry::Context,
};
use tokio::time::{Instant, timeout};

use crate::support::RedisServer;

const KEPT: RedisLogConfig = RedisLogConfig {
    retention_secs: 600,
    events_max: 10_000,
    claim_ttl_secs: 600,
    durability: Durability::Memory,
};

/// What a publisher sends: under which key, which of two bodies, and the names of its events, where they have one.
#[derive(Debug, Clone)]
struct Request {
    key: Option<u8>,
    body: u8,
    events: Vec<Option<u8>>,
}

/// Few keys and few names, so that they meet.
fn requests() -> impl Strategy<Value = Vec<Request>> {
    let events = vec(option::of(0..6_u8), 1..4);
    let request = (option::weighted(0.6, 0..4_u8), prop_oneof![4 => Just(0_u8), 1 => Just(1)], events);
    vec(request.prop_map(|(key, body, events)| Request { key, body, events }), 1..24)
}

/// One event, and no name of any kind.
fn plain() -> Request {
    Request { key: None, body: 0, events: vec![None] }
}

impl Request {
    fn append(&self, number: usize) -> Append {
        let event = |(i, name): (usize, &Option<u8>)| {
            let data = RawValue::from_string(format!(r#"{{"request":{number},"event":{i}}}"#)).unwrap();
            let event = Event {
                product_id: ProductId::new(&format!("p{}", number % 3)).unwrap(),
                event_type: EventType::SaleUpdate,
                data: Data::new(&data).unwrap(),
                timestamp: Timestamp::new("2026-01-01T00:00:00Z").unwrap(),
            };
            NewEvent { event, claim: name.map(|name| ClaimKey::event(&name.to_string())) }
        };
        let claim = |key: u8| RequestClaim {
            key: ClaimKey::request(&key.to_string()),
            body: BodyDigest::of(&[self.body]),
        };
        Append {
            request: self.key.map(claim),
            events: self.events.iter().enumerate().map(event).collect(),
            message: None,
        }
    }
}

/// Without the epoch, which no two logs share.
type Answer = Result<(usize, usize, u64, bool), AppendError>;

async fn answer(log: &dyn EventLog, number: usize, append: Append) -> Answer {
    let context = Context::of_request("pod".into(), format!("request-{number}").into());
    let Appended { accepted, duplicates, cursor, repeated } = context.scope(log.append(append)).await?;
    Ok((accepted, duplicates, cursor.n, repeated))
}

/// All of them begin before the first one ends.
async fn at_once<F: Future>(work: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut work: Vec<_> = work.into_iter().map(Box::pin).collect();
    let mut done: Vec<_> = work.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (work, done) in work.iter_mut().zip(&mut done).filter(|(_, done)| done.is_none()) {
            if let Ready(output) = work.as_mut().poll(context) {
                *done = Some(output);
            }
        }
        if done.iter().all(Option::is_some) { Ready(()) } else { Pending }
    })
    .await;
    done.into_iter().flatten().collect()
}

/// What stands in a log: each entry's place, data, and who brought it.
async fn entries(log: &dyn EventLog) -> Vec<(u64, String, Option<String>)> {
    let head = log.head().await.unwrap().position;
    let mut tail = log.tail(head.epoch.at(0));
    let mut entries: Vec<Arc<Entry>> = Vec::new();
    while entries.last().is_none_or(|entry| entry.at != head) {
        match timeout(Duration::from_secs(10), tail.next()).await.expect("nothing came").unwrap() {
            Tailed::Entries(more) => entries.extend(more),
            other => panic!("unexpected {other:?}"),
        }
    }
    let told = |entry: &Arc<Entry>| {
        let origin = entry.origin.as_ref().map(|origin| origin.as_str().to_owned());
        (entry.at.n, entry.event.data.as_str().to_owned(), origin)
    };
    entries.iter().map(told).collect()
}

/// Calls of a script so far.
fn calls(server: &RedisServer) -> usize {
    let stats = server.command(&["INFO", "commandstats"]);
    let count = |name: &str| -> usize {
        let line = stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{name}:calls=")));
        line.and_then(|line| line.split(',').next()).map_or(0, |count| count.parse().unwrap())
    };
    count("eval") + count("evalsha")
}

/// Goal: nobody can tell that others shared their call. Method: requests whose keys and names meet, all at once to Redis, one
/// after the other to the log in memory; answers and entries are the same.
#[test]
fn what_goes_together_is_answered_and_kept_as_if_each_had_come_alone() {
    let server = RedisServer::start();
    let config = MemoryLogConfig {
        retention_secs: KEPT.retention_secs,
        events_max: KEPT.events_max,
        bytes_max: 1024 * 1024,
        claim_ttl_secs: KEPT.claim_ttl_secs,
    };
    let play = async |requests: Vec<Request>| {
        server.command(&["FLUSHALL"]);
        let (together, alone) = (server.log(KEPT).await, MemoryLog::new(config, Clock::system()));
        // From here on Redis knows the script, and the log has its epoch.
        let mut expected = vec![answer(&alone, 0, plain().append(0)).await];
        let mut got = vec![answer(&*together, 0, plain().append(0)).await];

        let before = calls(&server);
        let numbered = || requests.iter().enumerate().map(|(i, request)| (i + 1, request.append(i + 1)));
        got.extend(at_once(numbered().map(|(number, append)| answer(&*together, number, append))).await);
        prop_assert_eq!(calls(&server) - before, 1, "they went together");
        for (number, append) in numbered() {
            expected.push(answer(&alone, number, append).await);
        }
        prop_assert_eq!(got, expected);
        prop_assert_eq!(entries(&*together).await, entries(&alone).await);
        Ok(())
    };
    let config = ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() };
    TestRunner::new(config)
        .run(&requests(), |requests| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(play(requests))
        })
        .unwrap();
}

/// Goal: no call keeps Redis from everything else for long. Method: requests that are too much for one call.
#[tokio::test]
async fn what_is_too_much_for_one_call_takes_several() {
    let server = RedisServer::start();
    let log = server.log(KEPT).await;
    let twenty = Request { events: vec![None; 20], ..plain() };
    answer(&*log, 0, twenty.append(0)).await.unwrap();
    let before = calls(&server);
    let answers = at_once((1..=100).map(|number| answer(&*log, number, twenty.append(number)))).await;
    let last = answers.into_iter().map(|answer| answer.unwrap().2).max();
    assert_eq!(last, Some(101 * 20));
    assert_eq!(calls(&server) - before, 10, "ten requests in each");
}

/// Goal: what somebody wrote into the keys of a claim stops no publisher, and none of those who share its call.
#[tokio::test]
async fn a_claim_that_is_no_text_is_taken_for_none() {
    let server = RedisServer::start();
    let log = server.log(KEPT).await;
    let named = Request { key: Some(1), events: vec![None, Some(2)], ..plain() };
    assert_eq!(answer(&*log, 0, named.append(0)).await, Ok((2, 0, 2, false)));
    let found = server.command(&["KEYS", "*claim:*"]);
    let claims: Vec<_> = found.lines().filter(|line| line.starts_with('{')).collect();
    assert_eq!(claims.len(), 2, "{found}");
    for claim in claims {
        server.command(&["DEL", claim]);
        server.command(&["LPUSH", claim, "1"]);
    }
    let again = at_once([named.append(1), plain().append(2)].map(|append| answer(&*log, 1, append))).await;
    assert_eq!(again, [Ok((2, 0, 4, false)), Ok((1, 0, 5, false))]);
    let once_more = answer(&*log, 0, named.append(0)).await;
    assert_eq!(once_more, Ok((2, 0, 4, true)), "now it is a claim again");
}

#[tokio::test]
async fn what_a_call_appended_is_published_once_in_its_order() {
    let server = RedisServer::start();
    let log = server.log(KEPT).await;
    let (key, two) = (Some(1), vec![None; 2]);
    let first = Request { key, events: two.clone(), ..plain() };
    answer(&*log, 0, first.append(0)).await.unwrap();
    let mut published = server.subscribe(&["product-updates"]);
    let requests = [
        Request { events: two, ..plain() },
        first.clone(),
        Request { body: 1, ..first },
        Request { events: vec![Some(1), Some(1)], ..plain() },
    ];
    let appends = requests.iter().enumerate().map(|(i, request)| (i + 1, request.append(i + 1)));
    let answers = at_once(appends.map(|(number, append)| answer(&*log, number, append))).await;
    let expected =
        [Ok((2, 0, 4, false)), Ok((2, 0, 2, true)), Err(AppendError::KeyReused), Ok((1, 1, 5, false))];
    assert_eq!(answers, expected);
    for (request, event) in [(1, 0), (1, 1), (4, 0)] {
        let (_, message) = published.next();
        assert!(message.contains(&format!(r#""data":{{"request":{request},"event":{event}}}"#)), "{message}");
    }
    assert!(published.is_quiet());
}

/// Goal: a Redis that is short of memory takes nothing of a call, and what it knew it still knows.
#[tokio::test]
async fn what_redis_refuses_is_refused_to_all_of_a_call_and_none_of_it_is_kept() {
    let server = RedisServer::start();
    let log = server.log(KEPT).await;
    let known = Request { key: Some(1), ..plain() };
    answer(&*log, 0, known.append(0)).await.unwrap();
    let new = Request { key: Some(2), events: vec![Some(1), None], ..plain() };
    let call =
        async || at_once([known.append(0), new.append(1)].map(|append| answer(&*log, 1, append))).await;
    server.command(&["CONFIG", "SET", "maxmemory", "1"]);
    for refused in call().await {
        assert!(matches!(refused, Err(AppendError::Unavailable { .. })), "{refused:?}");
    }
    server.command(&["CONFIG", "SET", "maxmemory", "0"]);
    assert!(server.command(&["XLEN", "{shelfcast}:log"]).starts_with(":1\r"));
    assert_eq!(call().await, [Ok((1, 0, 1, true)), Ok((2, 0, 3, false))]);
}

/// Goal: all of a call that met a log which contradicts itself are appended to the one that begins then, each of them once.
#[tokio::test]
async fn a_call_that_meets_a_broken_log_goes_on_in_a_new_one() {
    let server = RedisServer::start();
    let log = server.log(KEPT).await;
    answer(&*log, 0, plain().append(0)).await.unwrap();
    let before = log.head().await.unwrap().position.epoch;
    server.command(&["XADD", "{shelfcast}:log", "9-0", "of", "somebody"]);
    let answers = at_once((1..=5).map(|number| answer(&*log, number, plain().append(number)))).await;
    let mut places: Vec<_> = answers.into_iter().map(|answer| answer.unwrap().2).collect();
    places.sort_unstable();
    assert_eq!(places, [1, 2, 3, 4, 5]);
    assert_ne!(log.head().await.unwrap().position.epoch, before);
    assert_eq!(entries(&*log).await.len(), 5);
}

/// Goal: `202` waits for a replica for each of a call; who is refused for another reason is told that one.
#[tokio::test]
async fn where_a_replica_has_to_confirm_nobody_of_a_call_is_told_that_it_has() {
    let server = RedisServer::start();
    let log = server.log(RedisLogConfig { durability: Durability::Replica, ..KEPT }).await;
    // It does not learn the script while it waits: then it waits twice, and that is too long for anybody.
    answer(&*server.log(KEPT).await, 0, plain().append(0)).await.unwrap();
    let named = |key| Request { key: Some(key), ..plain() };
    let call = async || {
        let requests = [named(1), named(2), Request { body: 1, ..named(1) }];
        at_once(requests.iter().map(|request| answer(&*log, 1, request.append(1)))).await
    };
    let unconfirmed = call().await;
    assert!(matches!(unconfirmed[0], Err(AppendError::Unavailable { .. })), "{unconfirmed:?}");
    assert!(matches!(unconfirmed[1], Err(AppendError::Unavailable { .. })), "{unconfirmed:?}");
    assert_eq!(unconfirmed[2], Err(AppendError::KeyReused));
    let port = server.port().to_string();
    let _replica = RedisServer::with(&["--replicaof", "127.0.0.1", &port, "--repl-diskless-sync-delay", "0"]);
    let begin = Instant::now();
    loop {
        let confirmed = call().await;
        if confirmed[0].is_ok() {
            assert_eq!(confirmed, [Ok((1, 0, 2, true)), Ok((1, 0, 3, true)), Err(AppendError::KeyReused)]);
            break;
        }
        assert!(begin.elapsed() < Duration::from_secs(20), "{confirmed:?}");
    }
}

/// Goal: who gave up before their turn is not appended. Method: a Redis that stands still keeps two calls under way; two more
/// wait.
#[tokio::test]
async fn who_gives_up_in_the_line_is_not_appended() {
    let server = RedisServer::start();
    let log = server.log(KEPT).await;
    answer(&*log, 0, plain().append(0)).await.unwrap();
    server.signal("STOP");
    for number in 1..=4 {
        let gives_up = timeout(Duration::from_millis(50), answer(&*log, number, plain().append(number)));
        assert!(gives_up.await.is_err());
    }
    server.signal("CONT");
    assert_eq!(answer(&*log, 5, plain().append(5)).await, Ok((1, 0, 4, false)));
    let requests = entries(&*log).await.into_iter().map(|(_, data, _)| data);
    let expected: Vec<_> = [0, 1, 2, 5].map(|number| format!(r#"{{"request":{number},"event":0}}"#)).into();
    assert_eq!(requests.collect::<Vec<_>>(), expected);
}
