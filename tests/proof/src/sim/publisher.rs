//! A publisher: sends events, tries again with the same key, sometimes once too often, and writes down what it is told.

use std::{sync::Arc, time::Duration};

use axum::response::IntoResponse as _;
use serde_json::value::RawValue;
use shelfcast::{
    eventlog::{Append, Appended, BodyDigest, ClaimKey, NewEvent, RequestClaim},
    model::{Data, Event, EventType, LogTime, ProductId, Timestamp},
};
use tokio::time::{Instant, sleep};

use super::{
    dice::Dice,
    world::{Pod, World, product_id},
};
use crate::history::Op;

/// A publisher is answered within this time, come what may (scoreboard row 3).
const ANSWER_MAX: Duration = Duration::from_millis(2_500);

pub(super) struct Publisher {
    pub(super) world: Arc<World>,
    pub(super) dice: Dice,
    /// Its numbers do not meet those of others.
    pub(super) number: u64,
    pub(super) sent: u64,
}

/// A request as its publisher keeps it, to send it again.
#[derive(Debug, Clone)]
struct Request {
    number: u64,
    ids: Vec<u64>,
    events: Vec<(Event, Option<ClaimKey>)>,
    claim: Option<RequestClaim>,
}

/// What a publisher was told.
enum Told {
    Accepted(Appended),
    Refused(u16),
    Nothing,
}

impl Publisher {
    pub(super) async fn run(mut self) {
        let world = Arc::clone(&self.world);
        while !world.settled.is_cancelled() {
            let hurries = *world.burst_until.lock() > Instant::now();
            let pace = if hurries { 10 } else { world.figures.pace_ms };
            let wait = self.dice.between(1, pace * 2);
            tokio::select! {
                biased;
                () = world.settled.cancelled() => return,
                () = sleep(Duration::from_millis(wait)) => {}
            }
            let request = self.request();
            let taken = self.publish(&request).await;
            if let (true, Some(claim)) = (taken, request.claim) {
                if self.dice.percent(3) {
                    self.reuse_key(claim).await;
                }
                if self.dice.percent(5) {
                    // It did not believe it.
                    self.attempt(&request).await;
                }
            }
        }
    }

    fn next(&mut self) -> u64 {
        self.sent += 1;
        self.number * 1_000_000 + self.sent
    }

    fn request(&mut self) -> Request {
        let figures = &self.world.figures;
        let (products, kinds) = (figures.products, figures.kinds);
        let count = self.dice.pick(&[1, 1, 1, 2, 4]);
        let events: Vec<_> = (0..count)
            .map(|_| {
                let product = product_id(self.dice.index(products));
                (product, EventType::ALL[self.dice.index(kinds)])
            })
            .collect();
        let claim = self.dice.percent(70);
        let own_claims = !claim && self.dice.percent(50);
        self.make(events, claim, own_claims)
    }

    fn make(&mut self, events: Vec<(ProductId, EventType)>, claim: bool, own_claims: bool) -> Request {
        let number = self.next();
        let claim = claim.then(|| RequestClaim {
            key: ClaimKey::request(&number.to_string()),
            body: BodyDigest::of(&number.to_le_bytes()),
        });
        let mut request = Request { number, ids: Vec::new(), events: Vec::new(), claim };
        for (product_id, event_type) in events {
            let id = self.next();
            self.world.recorder.note(|names| Op::Publish {
                id,
                product: names.of(product_id.as_str()),
                kind: names.of(event_type.as_str()),
                request: number,
            });
            request.ids.push(id);
            let claim = own_claims.then(|| ClaimKey::event(&id.to_string()));
            request.events.push((event(id, product_id, event_type), claim));
        }
        request
    }

    /// Sends it until it is taken, if that is safe. Whether it was.
    async fn publish(&mut self, request: &Request) -> bool {
        let retries = request.claim.is_some() || request.events.iter().all(|(_, claim)| claim.is_some());
        let tries = if retries { self.dice.between(1, 6) } else { 1 };
        for attempt in 0..tries {
            if attempt > 0 {
                sleep(Duration::from_millis(self.dice.between(50, 1_000))).await;
            }
            match self.attempt(request).await {
                Told::Accepted(_) => return true,
                Told::Refused(status) if status < 500 => return false,
                Told::Refused(_) | Told::Nothing => {}
            }
        }
        false
    }

    /// Another body under a known key.
    async fn reuse_key(&mut self, claim: RequestClaim) {
        let product = product_id(self.dice.index(self.world.figures.products));
        let mut request = self.make(vec![(product, EventType::ALL[0])], true, false);
        let body = BodyDigest::of(&request.number.to_le_bytes());
        request.claim = Some(RequestClaim { key: claim.key, body });
        self.attempt(&request).await;
    }

    async fn attempt(&mut self, request: &Request) -> Told {
        let Some(pod) = self.world.any_pod(&mut self.dice) else {
            self.world.recorder.note(|_| Op::Unknown { request: request.number });
            return Told::Nothing;
        };
        sleep(Duration::from_millis(self.dice.between(1, 3))).await;
        let began = Instant::now();
        let told = send(&pod, request).await;
        if began.elapsed() > ANSWER_MAX && !pod.is_paused() {
            let late = format!("request {} was answered after {:?}", request.number, began.elapsed());
            self.world.misbehaved.lock().push(late);
        }
        sleep(Duration::from_millis(self.dice.between(1, 3))).await;
        self.world.recorder.note(|names| match &told {
            Told::Accepted(appended) => Op::Accepted {
                request: request.number,
                ids: request.ids.clone(),
                cursor: names.position(&appended.cursor.to_string()),
                duplicate: appended.repeated || appended.accepted == 0,
            },
            Told::Refused(status) => Op::Refused { request: request.number, status: *status },
            Told::Nothing => Op::Unknown { request: request.number },
        });
        told
    }
}

/// Whether this pod takes an event within this time, tried again and again.
pub(super) async fn takes_within(world: &World, pod: &Arc<Pod>, time: Duration) -> bool {
    let until = Instant::now() + time;
    let Ok(product) = ProductId::new("probe") else { return false };
    while Instant::now() < until {
        let request = Request {
            number: 0,
            ids: Vec::new(),
            events: vec![(event(0, product.clone(), EventType::SaleUpdate), None)],
            claim: None,
        };
        let tried = tokio::time::timeout_at(until, send(pod, &request)).await;
        let gone = pod.life.is_cancelled() || !world.pods().iter().any(|other| Arc::ptr_eq(other, pod));
        if gone || pod.is_paused() || matches!(tried, Ok(Told::Accepted(_))) {
            return true;
        }
        sleep(Duration::from_millis(100)).await;
    }
    false
}

async fn send(pod: &Pod, request: &Request) -> Told {
    let events = request.events.iter().map(|(event, claim)| NewEvent { event: event.clone(), claim: *claim });
    let append = Append { request: request.claim, events: events.collect(), message: None };
    tokio::select! {
        biased;
        () = pod.life.cancelled() => Told::Nothing,
        answer = pod.gate.accept(append, Instant::now()) => match answer {
            Ok(appended) => Told::Accepted(appended),
            Err(problem) => Told::Refused(problem.into_response().status().as_u16()),
        },
    }
}

fn event(id: u64, product_id: ProductId, event_type: EventType) -> Event {
    let data = RawValue::from_string(format!(r#"{{"id":{id}}}"#)).ok().and_then(|raw| Data::new(&raw).ok());
    #[expect(clippy::expect_used, reason = "a number in braces is an object")]
    Event {
        product_id,
        event_type,
        data: data.expect("an object"),
        timestamp: Timestamp::from(LogTime::from_micros(0)),
    }
}
