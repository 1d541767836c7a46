//! [`Pipeline`]: the way of every delivery from its raw bytes into the log. What the bytes mean is each platform's.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::Request,
    http::Uri,
    response::Response,
    routing::{MethodRouter, post},
};
use bytes::Bytes;
use tokio::{
    sync::SemaphorePermit,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    DELIVERY_BYTES_MAX, Delivery, Intake, Parts, Platform, appender::Appender, parking::Parking,
    platform::Handshake,
};
use crate::{
    eventlog::Appended,
    ingest::{
        Gate, Load,
        body::{read_body, told_bytes},
    },
    telemetry::{Context, Metrics, Way},
    web::{AddressBuckets, ClientAddress, Problem},
};

/// How long a body may take to come. Its sender is known only at its end, so nobody may hold the room for it for long;
/// platforms send it at once, and the most patient of them gives up after a minute.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// What every platform's deliveries go through. Its [`Load`] is its own: deliveries are read before anybody knows who sent
/// them, and must not take the room of publishers with a key.
#[derive(Debug)]
pub struct Pipeline {
    appender: Appender,
    parking: Parking,
    load: Load,
    /// Who sends what is not signed as it should be.
    failures: AddressBuckets,
    metrics: Arc<Metrics>,
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
        let appender = Appender::new(gate, parts, Arc::clone(&metrics));
        let parking = Parking::new(Arc::clone(&metrics));
        Self { appender, parking, load: Load::default(), failures, metrics }
    }

    /// What a platform's path serves: deliveries by POST, its handshake by GET.
    pub fn route(self: &Arc<Self>, platform: impl Platform) -> MethodRouter {
        let platform: Arc<dyn Platform> = Arc::new(platform);
        let (receiver, asked) = (Arc::clone(self), (Arc::clone(self), Arc::clone(&platform)));
        // Where nothing is asked by GET there is no such route: a 405 then names the method that is taken.
        let asks = !matches!(platform.handshake(&Uri::default()), Handshake::Unknown);
        let route = post(async move |request: Request| receiver.receive(&*platform, request).await);
        if !asks {
            return route;
        }
        route.get(async move |request: Request| asked.0.handshake(&*asked.1, &request))
    }

    /// Tells what had to be refused while the log was away to platforms that never send again. Runs until `stop`.
    pub async fn pay_debts(self: Arc<Self>, stop: CancellationToken) {
        self.parking.pay(&self.appender, stop).await;
    }

    async fn receive(&self, platform: &dyn Platform, request: Request) -> Result<Response, Problem> {
        Context::via(Way::Webhook(platform.name()), self.take(platform, request)).await
    }

    async fn take(&self, platform: &dyn Platform, request: Request) -> Result<Response, Problem> {
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
        self.appender.note_unknown(platform.name(), intake.unnamed);
        let appended = if platform.sends_again() {
            let _turn = turn;
            self.appender.append(&intake).await.inspect_err(|_| self.count(platform, "unavailable"))?
        } else {
            let appended = self.parking.append(&self.appender, &intake, turn).await;
            appended.inspect_err(|_| self.count(platform, "remembered"))?
        };
        match appended {
            None => self.count(platform, "ignored"),
            Some(appended) => {
                self.metrics.accept_to_append.record(arrived.elapsed().as_secs_f64());
                self.count(platform, outcome(appended));
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
        self.appender.gate.check_open().await?;
        let client = request.extensions().get::<ClientAddress>().copied();
        let unverified = || self.unverified(platform, client, arrived);
        let (head, mut body) = request.into_parts();
        let signed = platform.is_signed(&head.headers);
        let bytes_max = if signed { DELIVERY_BYTES_MAX } else { platform.unsigned_bytes_max() };
        if bytes_max == 0 {
            return Err(unverified());
        }
        self.keep_room(client, arrived)?;
        let _here = self.load.enter(told_bytes(&head.headers).unwrap_or(bytes_max).min(bytes_max)).await?;
        let body: Bytes = match timeout(BODY_TIMEOUT, read_body(&head.headers, &mut body, bytes_max)).await {
            // What is longer than a greeting is a delivery, and what it lacks is the signature.
            Ok(Err(_)) if !signed => return Err(unverified()),
            Ok(body) => body?,
            Err(_late) => return Err(self.note_failure(client, arrived, Problem::body_timeout())),
        };
        let turn = self.load.begin(body.len()).await?;
        if !signed {
            return platform.answer_unsigned(&body).map(Verified::Greeted).ok_or_else(unverified);
        }
        let (delivery, now) = (Delivery { headers: &head.headers, body: &body }, self.appender.clock().now());
        if !platform.verify(delivery, now) {
            return Err(unverified());
        }
        let intake = platform.read(delivery, now).inspect_err(|_| self.count(platform, "unreadable"))?;
        Ok(Verified::Intake(intake, turn))
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

fn outcome(appended: Appended) -> &'static str {
    match appended {
        Appended { repeated: true, .. } => "duplicate",
        Appended { accepted: 0, duplicates: 0, .. } => "unchanged",
        Appended { accepted: 0, .. } => "duplicate",
        _ => "accepted",
    }
}
