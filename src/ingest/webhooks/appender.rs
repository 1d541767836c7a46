//! [`Appender`]: from what a delivery says to the log: parts get their products, and what was seen of products is compared there.
//! Decides nothing about retries.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::{Hint, Intake, PartHint, Parts, intake::PRODUCTS_MAX};
use crate::{
    clock::Clock,
    eventlog::{
        Append, AppendError, Appended, InputGap,
        snapshots::{SIGHTINGS_MAX, Sightings},
    },
    ingest::{Gate, Refused, notify::EVENTS_MAX},
    model::ProductId,
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
        let mut all = Intake { parts: Vec::new(), ..intake.clone() };
        self.resolve(&intake.parts).await?.into_iter().for_each(|hint| all.hint(hint));
        let Intake { claim: request, events, sightings, .. } = all;
        match (events.len(), sightings.len()) {
            (0, 0) => Ok(None),
            (1..=EVENTS_MAX, 0) => {
                self.gate.append(Append { request, events, message: None }).await.map(Some)
            }
            (0..=EVENTS_MAX, 1..=SIGHTINGS_MAX) => {
                let now = self.clock().now();
                let observed = self.gate.observe(Sightings { request, events, sightings, now }).await?;
                Ok(Some(observed.appended))
            }
            (events_len, sightings_len) => {
                let accepted = events_len + sightings_len;
                let seen = sightings.into_iter().map(|sighting| sighting.key().product_id);
                let products = events.into_iter().map(|new| new.event.product_id).chain(seen).collect();
                Ok(Some(Appended { accepted, ..self.append_gap(products).await? }))
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
