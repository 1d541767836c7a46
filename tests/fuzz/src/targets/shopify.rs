//! Deliveries of Shopify.
//!
//! An input is header lines separated by `;` up to the first line break, and the body.

use shelfcast::ingest::webhooks::{Secrets, Shopify, WebhooksConfig};

use super::deliveries;

/// Runs one input.
pub fn run(input: &[u8]) {
    let config = WebhooksConfig { shopify: Secrets::new(["a secret"]), ..WebhooksConfig::default() };
    let Some((headers, body)) = deliveries::split(input) else { return };
    deliveries::check(&Shopify::new(&config), headers, body);
}
