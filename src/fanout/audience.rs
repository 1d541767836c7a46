//! Audience: how many look at what on the other pods, so that each takes its own share of the budget for refetches.
//!
//! Pods do not talk to each other. Each puts a small report on a shared board and reads those of the others. Only
//! figures travel, never events: with all of them wrong clients spread too much or too little, and miss nothing.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use parking_lot::RwLock;
use serde::{Deserialize, Deserializer, Serialize};
use tokio::time::{Instant, MissedTickBehavior, timeout};
use tokio_util::sync::CancellationToken;

use super::Hub;
use crate::model::ProductId;

/// Between two exchanges; also how long one may take. Viewers come and go in minutes, not in seconds.
const EVERY: Duration = Duration::from_secs(2);
/// A pod that the board has had no news of for this long is no more: five exchanges missed.
pub const SILENT_AFTER: Duration = Duration::from_secs(10);
/// Local viewers from which a product is reported: ten pods that each leave out fewer do not hide a hundred.
const VIEWERS_MIN: usize = 10;
/// Products in a report.
const PRODUCTS_MAX: usize = 1_000;
/// The longest report that is read: every product with the longest id and count, and as much again for what later
/// versions add.
const REPORT_BYTES_MAX: usize = 2 * PRODUCTS_MAX * (ProductId::LEN_MAX + 24);

/// What one pod tells the others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Connections in at least one room.
    pub viewers: u64,
    /// Viewers of the products that many look at.
    #[serde(default, deserialize_with = "products")]
    pub products: HashMap<ProductId, u64>,
}

impl Report {
    /// The report as it stands on the board.
    pub fn to_json(&self) -> String {
        #[expect(clippy::expect_used, reason = "numbers under text keys")]
        serde_json::to_string(self).expect("a report is JSON")
    }

    /// Reads another pod's report. `None`: it is none, of whatever version; fields it has beyond ours are passed over.
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() <= REPORT_BYTES_MAX).then(|| serde_json::from_str(text).ok()).flatten()
    }
}

/// What is no product id is left out.
fn products<'de, D: Deserializer<'de>>(deserializer: D) -> Result<HashMap<ProductId, u64>, D::Error> {
    let products = HashMap::<String, u64>::deserialize(deserializer)?;
    let checked = products.into_iter().filter_map(|(id, viewers)| Some((ProductId::new(&id).ok()?, viewers)));
    Ok(checked.take(PRODUCTS_MAX).collect())
}

/// A report of another pod, as the board has it.
#[derive(Debug, Clone)]
pub struct Notice {
    /// The pod's name on the board.
    pub pod: String,
    /// How long ago it was put there.
    pub age: Duration,
    /// What it says.
    pub report: Report,
}

/// The board could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BulletinError(pub Box<dyn std::error::Error + Send + Sync>);

/// The board that all pods share.
#[async_trait]
pub trait Bulletin: std::fmt::Debug + Send + Sync + 'static {
    /// Puts up this pod's report in place of its last one, and returns those of the other pods that are not silent
    /// ([`SILENT_AFTER`]). May be dropped at any time.
    async fn exchange(&self, mine: &Report) -> Result<Vec<Notice>, BulletinError>;
}

/// The figures of the other pods. Read for every batch, written once an exchange.
#[derive(Debug, Default)]
pub(super) struct Audience {
    viewers: AtomicU64,
    products: RwLock<HashMap<ProductId, u64>>,
}

impl Audience {
    /// Connections in rooms of the other pods.
    pub(super) fn viewers(&self) -> u64 {
        self.viewers.load(Ordering::Relaxed)
    }

    /// Viewers of a product on the other pods, as far as they report it.
    pub(super) fn viewers_of(&self, product_id: &ProductId) -> u64 {
        self.products.read().get(product_id).copied().unwrap_or(0)
    }

    fn set(&self, sum: Report) {
        self.viewers.store(sum.viewers, Ordering::Relaxed);
        let old = std::mem::replace(&mut *self.products.write(), sum.products);
        // Freed here, with the lock given back.
        drop(old);
    }
}

/// What is known of the other pods.
///
/// Without the board nothing is learnt of them, so nothing is forgotten either: silence counts only while the board
/// answers. To keep figures of pods that have gone makes clients wait longer than they need, at most 30 s. To forget
/// pods that are still there makes each of them use the whole budget, and it would happen at the worst moment: when the
/// board comes back with a new log behind it, and every client of every pod is told to refetch.
#[derive(Debug, Default)]
struct Others {
    pods: HashMap<String, (Report, Instant)>,
    /// Since when every exchange has succeeded.
    contact: Option<Instant>,
}

impl Others {
    fn heard(&mut self, now: Instant, notices: Vec<Notice>) {
        let contact = *self.contact.get_or_insert(now);
        for Notice { pod, age, report } in notices {
            self.pods.insert(pod, (report, now.checked_sub(age).unwrap_or(now)));
        }
        self.pods.retain(|_, (_, heard)| now.saturating_duration_since(contact.max(*heard)) < SILENT_AFTER);
    }

    fn failed(&mut self) {
        self.contact = None;
    }

    fn sum(&self) -> Report {
        let mut sum = Report::default();
        for (report, _) in self.pods.values() {
            // What others wrote may hold any number.
            sum.viewers = sum.viewers.saturating_add(report.viewers);
            for (product_id, viewers) in &report.products {
                let all = sum.products.entry(product_id.clone()).or_default();
                *all = all.saturating_add(*viewers);
            }
        }
        sum
    }
}

/// Exchanges reports until `stop`.
pub async fn run_audience(hub: Arc<Hub>, board: Arc<dyn Bulletin>, stop: CancellationToken) {
    let mut others = Others::default();
    let mut failing = false;
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = stop.cancelled() => return,
        }
        let mine = hub.report();
        let exchanged = tokio::select! {
            exchanged = timeout(EVERY, board.exchange(&mine)) => exchanged,
            () = stop.cancelled() => return,
        };
        let error = match exchanged {
            Ok(Ok(notices)) => {
                failing = false;
                others.heard(Instant::now(), notices);
                let sum = others.sum();
                hub.metrics.viewers_elsewhere.set(sum.viewers as f64);
                hub.audience.set(sum);
                continue;
            }
            Ok(Err(error)) => error.to_string(),
            Err(late) => late.to_string(),
        };
        others.failed();
        if !failing {
            tracing::warn!(%error, "the viewers of the other pods cannot be learnt; the last figures stay");
        }
        failing = true;
    }
}

impl Hub {
    /// This pod's own figures.
    fn report(&self) -> Report {
        // The smallest of the largest is on top. An id is cloned only if it gets in.
        let mut largest = BinaryHeap::new();
        for room in &self.rooms {
            let viewers = room.value().len();
            let full = largest.len() == PRODUCTS_MAX;
            if viewers < VIEWERS_MIN || full && largest.peek().is_some_and(|Reverse((v, _))| *v >= viewers) {
                continue;
            }
            if full {
                largest.pop();
            }
            largest.push(Reverse((viewers, room.key().clone())));
        }
        let products = largest.into_iter().map(|Reverse((viewers, id))| (id, viewers as u64));
        Report { viewers: self.joined.load(Ordering::Relaxed) as u64, products: products.collect() }
    }
}

#[cfg(test)]
mod tests {
    //! What is told of a pod, and for how long the others believe it.

    use super::*;

    fn product(id: &str) -> ProductId {
        ProductId::new(id).unwrap()
    }

    fn report(viewers: u64) -> Report {
        Report { viewers, products: HashMap::from([(product("p1"), viewers)]) }
    }

    fn notice(pod: &str, age_secs: u64, viewers: u64) -> Notice {
        Notice { pod: pod.into(), age: Duration::from_secs(age_secs), report: report(viewers) }
    }

    #[test]
    fn a_report_is_read_as_it_was_written_and_whatever_a_later_version_adds() {
        let mine = report(50);
        assert_eq!(mine.to_json(), r#"{"viewers":50,"products":{"p1":50}}"#);
        assert_eq!(Report::parse(&mine.to_json()), Some(mine));
        let later = r#"{"zone":"a","viewers":7,"products":{"p1":7,"no id at all":9},"more":[1]}"#;
        assert_eq!(Report::parse(later), Some(report(7)));
        assert_eq!(Report::parse(r#"{"viewers":7}"#).unwrap().viewers, 7);
        for bad in ["", "[]", r#"{"viewers":-1}"#, r#"{"viewers":"7"}"#, &" ".repeat(REPORT_BYTES_MAX + 1)] {
            assert_eq!(Report::parse(bad), None);
        }
    }

    #[test]
    fn the_largest_report_is_read() {
        let id = |i| product(&format!("{i:0>width$}", width = ProductId::LEN_MAX));
        let largest =
            Report { viewers: u64::MAX, products: (0..PRODUCTS_MAX).map(|i| (id(i), u64::MAX)).collect() };
        assert_eq!(Report::parse(&largest.to_json()), Some(largest));
    }

    #[test]
    fn reports_add_up_and_a_pod_replaces_its_own() {
        let mut others = Others::default();
        let now = Instant::now();
        others.heard(now, vec![notice("a", 0, 10), notice("b", 1, 20)]);
        assert_eq!(others.sum(), report(30));
        others.heard(now, vec![notice("a", 0, 40), notice("b", 0, u64::MAX)]);
        assert_eq!(others.sum(), report(u64::MAX));
    }

    #[test]
    fn a_silent_pod_is_forgotten_after_ten_seconds() {
        let mut others = Others::default();
        let start = Instant::now();
        let at = |secs| start + Duration::from_secs(secs);
        others.heard(at(20), vec![notice("a", 0, 10), notice("b", 4, 20)]);
        (22..26).for_each(|secs| others.heard(at(secs), vec![]));
        assert_eq!(others.sum().viewers, 30);
        (26..31).for_each(|secs| others.heard(at(secs), vec![]));
        assert_eq!(others.sum(), Report::default());
    }

    #[test]
    fn nobody_is_forgotten_while_the_board_is_away() {
        let mut others = Others::default();
        let start = Instant::now();
        let at = |secs| start + Duration::from_secs(secs);
        others.heard(at(0), vec![notice("a", 0, 10)]);
        others.failed();
        others.heard(at(3_600), vec![]);
        others.heard(at(3_609), vec![]);
        assert_eq!(others.sum(), report(10), "it has had no time to say that it is there");
        others.heard(at(3_610), vec![]);
        assert_eq!(others.sum(), Report::default());
    }
}
