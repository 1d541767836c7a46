//! [`Pipeline`]: the way of every delivery from its raw bytes into the log. What the bytes mean is each platform's.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    extract::Request,
    response::Response,
    routing::{MethodRouter, post},
};
use bytes::Bytes;
use tokio::{
    sync::SemaphorePermit,
    time::{Instant, timeout},
};

use super::{
    DELIVERY_BYTES_MAX, Delivery, Hint, Intake, PartHint, Parts, Platform, observed::plain_event,
    platform::Handshake,
};
use crate::{
    eventlog::{Append, AppendError, Appended, InputGap, NewEvent},
    ingest::{
        Gate, Load, Refused,
        body::{read_body, told_bytes},
        notify::EVENTS_MAX,
    },
    model::LogTime,
    telemetry::Metrics,
    web::{AddressBuckets, ClientAddress, Problem},
};

/// How long a body may take to come. Its sender is known only at its end, so nobody may hold the room for it for long;
/// platforms send it at once, and the most patient of them gives up after a minute.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Products that one gap names; beyond that it is one of everything.
const GAP_PRODUCTS_MAX: usize = 10_000;

/// Where parts are kept, is where the log is: away together.
const UNAVAILABLE: AppendError = AppendError::Unavailable { retry_after: Duration::from_secs(2) };

/// What every platform's deliveries go through. Its [`Load`] is its own: deliveries are read before anybody knows who sent
/// them, and must not take the room of publishers with a key.
#[derive(Debug)]
pub struct Pipeline {
    gate: Arc<Gate>,
    parts: Arc<dyn Parts>,
    load: Load,
    /// Who sends what is not signed as it should be.
    failures: AddressBuckets,
    metrics: Arc<Metrics>,
    told_unknown: AtomicBool,
}

/// A delivery after its signature was looked at.
enum Verified<'a> {
    /// It says this. The permit is its turn to append.
    Intake(Intake, SemaphorePermit<'a>),
    /// It was a greeting.
    Greeted(Response),
}

impl Pipeline {
    /// To this gate.
    pub fn new(gate: Arc<Gate>, parts: Arc<dyn Parts>, metrics: Arc<Metrics>) -> Self {
        let failures = AddressBuckets::new(AddressBuckets::WRONG_KEYS);
        Self { gate, parts, load: Load::default(), failures, metrics, told_unknown: AtomicBool::default() }
    }

    /// What a platform's path serves: deliveries by POST, its handshake by GET.
    pub fn route(self: &Arc<Self>, platform: impl Platform) -> MethodRouter {
        let platform: Arc<dyn Platform> = Arc::new(platform);
        let (receiver, asked) = (Arc::clone(self), (Arc::clone(self), Arc::clone(&platform)));
        post(async move |request: Request| receiver.receive(&*platform, request).await)
            .get(async move |request: Request| asked.0.handshake(&*asked.1, &request))
    }

    async fn receive(&self, platform: &dyn Platform, request: Request) -> Result<Response, Problem> {
        let arrived = Instant::now();
        let (intake, turn) = match self.verified(platform, request, arrived).await? {
            Verified::Intake(intake, turn) => (intake, turn),
            Verified::Greeted(answer) => {
                self.count(platform, "handshake");
                return Ok(answer);
            }
        };
        if let Some(notice) = intake.notice {
            tracing::warn!(platform = platform.name(), "{notice}");
        }
        self.note_unknown(platform, intake.unnamed);
        let appended =
            self.append(platform, &intake).await.inspect_err(|_| self.count(platform, "unavailable"))?;
        drop(turn);
        match appended {
            None => self.count(platform, "ignored"),
            Some(appended) => {
                self.metrics.accept_to_append.record(arrived.elapsed().as_secs_f64());
                let duplicate = appended.repeated || appended.accepted == 0;
                self.count(platform, if duplicate { "duplicate" } else { "accepted" });
            }
        }
        Ok(platform.answer(appended))
    }

    async fn verified(
        &self,
        platform: &dyn Platform,
        request: Request,
        arrived: Instant,
    ) -> Result<Verified<'_>, Problem> {
        if platform.secrets().is_empty() {
            return Err(Problem::webhook_not_configured());
        }
        self.gate.check_open().await?;
        let client = request.extensions().get::<ClientAddress>().copied();
        let unverified = || self.unverified(platform, client, arrived);
        let (head, body) = request.into_parts();
        let signed = platform.is_signed(&head.headers);
        let bytes_max = if signed { DELIVERY_BYTES_MAX } else { platform.unsigned_bytes_max() };
        if bytes_max == 0 {
            return Err(unverified());
        }
        self.keep_room(client, arrived)?;
        let _here = self.load.enter(told_bytes(&head.headers).unwrap_or(bytes_max).min(bytes_max)).await?;
        let body: Bytes = match timeout(BODY_TIMEOUT, read_body(&head.headers, body, bytes_max)).await {
            Ok(body) => body?,
            Err(_late) => return Err(self.note_failure(client, arrived, Problem::body_timeout())),
        };
        let turn = self.load.begin(body.len()).await?;
        if !signed {
            return platform.answer_unsigned(&body).map(Verified::Greeted).ok_or_else(unverified);
        }
        let (delivery, now) = (Delivery { headers: &head.headers, body: &body }, self.gate.clock().now());
        if !platform.verify(delivery, now) {
            return Err(unverified());
        }
        let intake = platform.read(delivery, now).inspect_err(|_| self.count(platform, "unreadable"))?;
        Ok(Verified::Intake(intake, turn))
    }

    /// One append of everything a delivery says; `None`: nothing of it is of interest to a shopper. Doing it twice does no
    /// harm. What is learned comes first: it is of use even if the append fails, and a retry learns it again.
    async fn append(&self, platform: &dyn Platform, intake: &Intake) -> Result<Option<Appended>, Refused> {
        if !intake.learned.is_empty() {
            self.parts.learn(&intake.learned).await.map_err(|_| Refused::Log(UNAVAILABLE))?;
        }
        let hints = self.resolve(platform, &intake.parts).await?;
        let append = append(intake, &hints, self.gate.clock().now());
        match append.events.len() {
            0 => Ok(None),
            1..=EVENTS_MAX => self.gate.append(append).await.map(Some),
            _ => self.append_as_gap(append.events).await.map(Some),
        }
    }

    /// More changes than one append takes, such as a sale of the whole shop: one entry tells that all of them changed.
    async fn append_as_gap(&self, events: Vec<NewEvent>) -> Result<Appended, Refused> {
        let accepted = events.len();
        let products: HashSet<_> = events.into_iter().map(|new| new.event.product_id).collect();
        let named = products.len() <= GAP_PRODUCTS_MAX;
        let product_ids = if named { products.into_iter().collect() } else { Vec::new() };
        let cursor = self.gate.append_gap(InputGap { product_ids, lease: None }).await?;
        Ok(Appended { accepted, duplicates: 0, cursor, repeated: false })
    }

    /// Finds the products of parts. A part of which nobody has told is told to nobody, and counted.
    async fn resolve(&self, platform: &dyn Platform, hints: &[PartHint]) -> Result<Vec<Hint>, Refused> {
        if hints.is_empty() {
            return Ok(Vec::new());
        }
        let parts: Vec<_> = hints.iter().map(|hint| hint.part.clone()).collect();
        let found = self.parts.find(&parts).await.map_err(|_| Refused::Log(UNAVAILABLE))?;
        let found = found.into_iter().chain(std::iter::repeat(None));
        let told: Vec<_> = hints.iter().zip(found).filter_map(|(hint, product)| hint.of(product)).collect();
        self.note_unknown(platform, (hints.len() - told.len()) as u64);
        Ok(told)
    }

    fn handshake(&self, platform: &dyn Platform, request: &Request) -> Result<Response, Problem> {
        match platform.handshake(request.uri()) {
            Handshake::Unknown => Err(Problem::method_not_allowed()),
            Handshake::NotConfigured => Err(Problem::webhook_not_configured()),
            Handshake::Refused => {
                let client = request.extensions().get::<ClientAddress>().copied();
                self.count(platform, "bad_signature");
                Err(self.note_failure(client, Instant::now(), Problem::bad_verify_token()))
            }
            Handshake::Granted(answer) => {
                self.count(platform, "handshake");
                Ok(answer)
            }
        }
    }

    /// Counted each time, and logged once: somebody has to save the products concerned once.
    fn note_unknown(&self, platform: &dyn Platform, count: u64) {
        self.metrics.webhooks.parts_unknown(platform.name()).increment(count);
        if count > 0 && !self.told_unknown.swap(true, Ordering::Relaxed) {
            let platform = platform.name();
            tracing::warn!(
                platform,
                "a change of something whose product no delivery has told yet cannot be told"
            );
        }
    }

    /// A good signature always passes, as a good key does; only bad ones are counted. But when room gets scarce, those who
    /// sent nothing good lately are not read any more.
    fn keep_room(&self, client: Option<ClientAddress>, now: Instant) -> Result<(), Problem> {
        let spent = |client: ClientAddress| self.failures.is_spent(client.network(), now);
        if self.load.is_crowded() && client.is_some_and(spent) {
            return Err(self.note_failure(client, now, Problem::bad_signature()));
        }
        Ok(())
    }

    fn unverified(&self, platform: &dyn Platform, client: Option<ClientAddress>, now: Instant) -> Problem {
        self.count(platform, "bad_signature");
        self.note_failure(client, now, Problem::bad_signature())
    }

    /// Counts a failure of this client. Beyond what a mistake explains it is told to wait instead of why.
    fn note_failure(&self, client: Option<ClientAddress>, now: Instant, refusal: Problem) -> Problem {
        let tries = client.map_or(Ok(()), |client| self.failures.take(client.network(), now));
        tries.map_or_else(Problem::rate_limited, |()| refusal)
    }

    fn count(&self, platform: &dyn Platform, outcome: &str) {
        self.metrics.webhooks.deliveries(platform.name(), outcome).increment(1);
    }
}

/// What an intake appends. Observed products become plain events here and nowhere else.
fn append(intake: &Intake, hints: &[Hint], now: LogTime) -> Append {
    let ready = intake.events.iter().cloned();
    let hints = hints.iter().filter_map(Hint::event).map(|event| NewEvent { event, claim: None });
    let observed = intake.observed.iter().filter_map(|observed| plain_event(observed, now));
    let observed = observed.map(|event| NewEvent { event, claim: None });
    Append { request: intake.claim, events: ready.chain(hints).chain(observed).collect(), message: None }
}
