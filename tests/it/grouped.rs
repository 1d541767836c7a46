//! Requests that come at the same time go to Redis as one call. Each is answered, and kept, as if it had come alone: what that
//! is, the log in memory tells, which is given the same requests one after the other. Real Redis.

use std::{
    sync::Arc,
    task::Poll::{Pending, Ready},
};

use proptest::{collection::vec, option, prelude::*};
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
    vec(request.prop_map(|(key, body, events)| Request { key, body, events }), 1..40)
}

impl Request {
    /// A request without a name of any kind.
    const PLAIN: Self = Self { key: None, body: 0, events: Vec::new() };

    fn append(&self, number: usize) -> Append {
        let event = |(i, name): (usize, &Option<u8>)| {
            let data = RawValue::from_string(format!(r#"{{"request":{number},"event":{i}}}"#)).unwrap();
            let event = Event {
                product_id: ProductId::new("p").unwrap(),
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
async fn entries(log: &dyn EventLog, count: u64) -> Vec<(u64, String, Option<String>)> {
    let start = log.head().await.unwrap().position.epoch.at(0);
    let mut tail = log.tail(start);
    let mut entries: Vec<Arc<Entry>> = Vec::new();
    while (entries.len() as u64) < count {
        if let Tailed::Entries(more) = tail.next().await.unwrap() {
            entries.extend(more);
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

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_goes_together_is_answered_and_kept_as_if_each_had_come_alone(requests in requests()) {
        runtime().block_on(async {
            let server = RedisServer::start();
            let together = server.log(KEPT).await;
            let config = MemoryLogConfig {
                retention_secs: KEPT.retention_secs,
                events_max: KEPT.events_max,
                bytes_max: 1024 * 1024,
                claim_ttl_secs: KEPT.claim_ttl_secs,
            };
            let alone = MemoryLog::new(config, Clock::system());
            // From here on Redis knows the script, and the log has its epoch.
            let first = Request { events: vec![None], ..Request::PLAIN };
            let mut expected = vec![answer(&alone, 0, first.append(0)).await];
            let mut got = vec![answer(&*together, 0, first.append(0)).await];

            let before = calls(&server);
            let numbered = || requests.iter().enumerate().map(|(i, request)| (i + 1, request.append(i + 1)));
            got.extend(at_once(numbered().map(|(number, append)| answer(&*together, number, append))).await);
            prop_assert_eq!(calls(&server) - before, 1, "they went together");
            for (number, append) in numbered() {
                expected.push(answer(&alone, number, append).await);
            }
            prop_assert_eq!(&got, &expected);
            let count = alone.head().await.unwrap().position.n;
            prop_assert_eq!(entries(&*together, count).await, entries(&alone, count).await);
            Ok(())
        })?;
    }
}

/// Goal: no call keeps Redis from everything else for long. Method: requests that are too much for one call.
#[tokio::test]
async fn what_is_too_much_for_one_call_takes_several() {
    let server = RedisServer::start();
    let log = server.log(KEPT).await;
    let twenty = Request { events: vec![None; 20], ..Request::PLAIN };
    answer(&*log, 0, twenty.append(0)).await.unwrap();
    let before = calls(&server);
    let answers = at_once((1..=100).map(|number| answer(&*log, number, twenty.append(number)))).await;
    let last = answers.into_iter().map(|answer| answer.unwrap().2).max();
    assert_eq!(last, Some(101 * 20));
    let calls = calls(&server) - before;
    assert!((2..30).contains(&calls), "2,000 events took {calls} calls");
}

/// Goal: what somebody wrote into the keys of a claim stops no publisher, and none of those who share its call.
#[tokio::test]
async fn a_claim_that_is_no_text_is_taken_for_none() {
    let server = RedisServer::start();
    let log = server.log(KEPT).await;
    let named = Request { key: Some(1), events: vec![None, Some(2)], ..Request::PLAIN };
    let first = answer(&*log, 0, named.append(0)).await;
    assert_eq!(first, Ok((2, 0, 2, false)));
    let found = server.command(&["KEYS", "*claim:*"]);
    let claims: Vec<_> = found.lines().filter(|line| line.starts_with('{')).collect();
    assert_eq!(claims.len(), 2, "{found}");
    for claim in claims {
        server.command(&["DEL", claim]);
        server.command(&["LPUSH", claim, "1"]);
    }
    let again = [named.append(1), Request { events: vec![None], ..Request::PLAIN }.append(2)];
    let again = at_once(again.into_iter().map(|append| answer(&*log, 1, append))).await;
    assert_eq!(again, [Ok((2, 0, 4, false)), Ok((1, 0, 5, false))]);
    let once_more = answer(&*log, 0, named.append(0)).await;
    assert_eq!(once_more, Ok((2, 0, 4, true)), "now it is a claim again");
}
