//! The figures of webhooks: one counter for each platform and each thing that can become of a delivery.

use metrics::Counter;

use super::metrics::{Labelled, List};

/// What became of deliveries.
#[derive(Debug)]
pub struct Webhooks(Vec<(&'static str, Labelled)>);

/// Every platform.
pub const WEBHOOK_PLATFORMS: [&str; 4] = ["woocommerce", "shopify", "meta", "standard"];
/// Appended, known already, of no interest to shoppers, a greeting, not signed as it should be, signed but not to be read,
/// and refused because the log took nothing.
const OUTCOMES: [&str; 7] =
    ["accepted", "duplicate", "ignored", "handshake", "bad_signature", "unreadable", "unavailable"];

impl Webhooks {
    pub(super) fn new(list: &List<'_>) -> Self {
        let (name, help) =
            ("shelfcast_webhook_deliveries_total", "Webhook deliveries, by platform and outcome");
        let of = |platform| {
            (platform, list.labelled_beside(name, help, &[("platform", platform)], "outcome", &OUTCOMES))
        };
        Self(WEBHOOK_PLATFORMS.map(of).into())
    }

    /// The counter of this outcome; one that counts nothing for a name that is not in the list.
    pub fn of(&self, platform: &str, outcome: &str) -> Counter {
        let known = self.0.iter().find(|(known, _)| *known == platform);
        known.map_or_else(Counter::noop, |(_, outcomes)| outcomes.of(outcome))
    }
}
