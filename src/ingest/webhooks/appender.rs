//! [`Appender`]: from what a delivery says to the log: parts get their products, observed products become events. Decides
//! nothing about retries.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::{Hint, Intake, PartHint, Parts, intake::PRODUCTS_MAX, observed::plain_event};
use crate::{
    clock::Clock,
    eventlog::{Append, AppendError, Appended, InputGap, NewEvent},
    ingest::{Gate, Refused, notify::EVENTS_MAX},
    model::{LogTime, ProductId},
    telemetry::Metrics,
};

/// Where parts are kept, is where the log is: away together.
const UNAVAILABLE: AppendError = AppendError::Unavailable { retry_after: Duration::from_secs(2) };

/// Appends what deliveries say.
#[derive(Debug)]
pub(super) struct Appender {
    pub(super) gate: Arc<Gate>,
    parts: Arc<dyn Parts>,
    metrics: Arc<Metrics>,
    told_unknown: AtomicBool,
}

impl Appender {
    pub(super) fn new(gate: Arc<Gate>, parts: Arc<dyn Parts>, metrics: Arc<Metrics>) -> Self {
        Self { gate, parts, metrics, told_unknown: AtomicBool::default() }
    }

    pub(super) fn clock(&self) -> &Clock {
        self.gate.clock()
    }

    /// One append of everything a delivery says; `None`: nothing of it is of interest to a shopper. Doing it twice does no
    /// harm. What is learned comes first: it is of use even if the append fails, and a retry learns it again.
    pub(super) async fn append(&self, intake: &Intake) -> Result<Option<Appended>, Refused> {
        if !intake.learned.is_empty() {
            self.parts.learn(&intake.learned).await.map_err(|_| Refused::Log(UNAVAILABLE))?;
        }
        let hints = self.resolve(&intake.parts).await?;
        let append = append_of(intake, &hints, self.clock().now());
        match append.events.len() {
            0 => Ok(None),
            1..=EVENTS_MAX => self.gate.append(append).await.map(Some),
            accepted => {
                let products: HashSet<_> =
                    append.events.into_iter().map(|new| new.event.product_id).collect();
                let cursor = self.append_gap(products).await?;
                Ok(Some(Appended { accepted, duplicates: 0, ..cursor }))
            }
        }
    }

    /// One entry which tells that all these products changed. For more changes than one append takes, such as a sale of the
    /// whole shop. None, or too many to name: all there are.
    pub(super) async fn append_gap(&self, products: HashSet<ProductId>) -> Result<Appended, Refused> {
        let named = products.len() <= PRODUCTS_MAX;
        let product_ids = if named { products.into_iter().collect() } else { Vec::new() };
        let cursor = self.gate.append_gap(InputGap { product_ids, lease: None }).await?;
        Ok(Appended { accepted: 0, duplicates: 0, cursor, repeated: false })
    }

    /// Finds the products of parts. A part of which nobody has told is told to nobody, and counted.
    async fn resolve(&self, hints: &[PartHint]) -> Result<Vec<Hint>, Refused> {
        let Some(PartHint { part, .. }) = hints.first() else { return Ok(Vec::new()) };
        let platform = part.platform();
        let parts: Vec<_> = hints.iter().map(|hint| hint.part.clone()).collect();
        let found = self.parts.find(&parts).await.map_err(|_| Refused::Log(UNAVAILABLE))?;
        let found = found.into_iter().chain(std::iter::repeat(None));
        let told: Vec<_> = hints.iter().zip(found).filter_map(|(hint, product)| hint.of(product)).collect();
        self.note_unknown(platform, (hints.len() - told.len()) as u64);
        Ok(told)
    }

    /// Counted each time, and logged once: somebody has to save the products concerned once.
    pub(super) fn note_unknown(&self, platform: &str, count: u64) {
        self.metrics.webhooks.parts_unknown(platform).increment(count);
        if count > 0 && !self.told_unknown.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                platform,
                "a change of something whose product no delivery has told yet cannot be told"
            );
        }
    }
}

/// What an intake appends. Observed products become plain events here and nowhere else.
fn append_of(intake: &Intake, hints: &[Hint], now: LogTime) -> Append {
    let ready = intake.events.iter().cloned();
    let hints = hints.iter().filter_map(Hint::event).map(|event| NewEvent { event, claim: None });
    let observed = intake.observed.iter().filter_map(|observed| plain_event(observed, now));
    let observed = observed.map(|event| NewEvent { event, claim: None });
    Append { request: intake.claim, events: ready.chain(hints).chain(observed).collect(), message: None }
}
