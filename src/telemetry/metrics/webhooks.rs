//! The figures of webhooks, by platform: what became of deliveries, and what could not be told because nobody knew whose it was.

use metrics::{Counter, Gauge};

use super::{Labelled, list::List};

/// What became of deliveries.
#[derive(Debug)]
pub struct Webhooks {
    deliveries: Vec<(&'static str, Labelled)>,
    parts_unknown: Labelled,
    /// Deliveries that wait, unanswered, for a log that takes nothing.
    pub parked: Gauge,
    /// Products whose change was refused for good and has to be told.
    pub owed: Gauge,
}

/// Every platform.
pub const WEBHOOK_PLATFORMS: [&str; 4] = ["woocommerce", "shopify", "meta", "standard"];
/// Appended, known already, nothing new about the products it shows, of no interest to shoppers, a greeting, not signed as it
/// should be, signed but not to be read, refused because the log took nothing; and refused so for good, with its products
/// remembered.
const OUTCOMES: [&str; 9] = [
    "accepted",
    "duplicate",
    "unchanged",
    "ignored",
    "handshake",
    "bad_signature",
    "unreadable",
    "unavailable",
    "remembered",
];

impl Webhooks {
    pub(super) fn new(list: &List<'_>) -> Self {
        let (name, help) =
            ("shelfcast_webhook_deliveries_total", "Webhook deliveries, by platform and outcome");
        let of = |platform| {
            (platform, list.labelled_beside(name, help, &[("platform", platform)], "outcome", &OUTCOMES))
        };
        let parts_unknown = list.labelled(
            "shelfcast_webhook_parts_unknown_total",
            "Changes of inventory items and variations whose product no delivery has told, by platform",
            "platform",
            &WEBHOOK_PLATFORMS,
        );
        let parked = list.gauge(
            "shelfcast_webhook_deliveries_parked",
            "Deliveries that wait, unanswered, for a log that takes nothing, because their platform never sends again",
        );
        let owed = list.gauge(
            "shelfcast_webhook_products_owed",
            "Products whose deliveries were refused for good and that are told when the log takes something again",
        );
        Self { deliveries: WEBHOOK_PLATFORMS.map(of).into(), parts_unknown, parked, owed }
    }

    /// Deliveries with this outcome; a counter that counts nothing for a name that is not in the list.
    pub fn deliveries(&self, platform: &str, outcome: &str) -> Counter {
        let known = self.deliveries.iter().find(|(known, _)| *known == platform);
        known.map_or_else(Counter::noop, |(_, outcomes)| outcomes.of(outcome))
    }

    /// Changes of parts whose product is not known.
    pub fn parts_unknown(&self, platform: &str) -> Counter {
        self.parts_unknown.of(platform)
    }
}
