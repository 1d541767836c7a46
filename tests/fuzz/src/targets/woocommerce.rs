//! Deliveries of WooCommerce, its unsigned ping, and its secrets.
//!
//! An input is header lines separated by `;` up to the first line break, and the body. One that has no line break is a ping
//! and a secret.

use shelfcast::ingest::webhooks::{Platform as _, Secrets, WebhooksConfig, WooCommerce};

use super::deliveries;

/// Runs one input.
pub fn run(input: &[u8]) {
    let config = WebhooksConfig { woocommerce: Secrets::new(["a secret"]), ..WebhooksConfig::default() };
    let shop = WooCommerce::new(&config);
    let Some((headers, body)) = deliveries::split(input) else {
        return check_ping(&shop, input);
    };
    deliveries::check(&shop, headers, body);
}

fn check_ping(shop: &WooCommerce, input: &[u8]) {
    let digits = input.strip_prefix(b"webhook_id=").filter(|digits| !digits.is_empty());
    let is_ping = digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_digit));
    assert_eq!(shop.answer_unsigned(input).is_some(), is_ping);
    let Ok(secret) = std::str::from_utf8(input) else { return };
    let key = WooCommerce::key(secret);
    assert!(key.len() <= secret.len(), "a secret grows");
    assert!(secret.contains('&') || key == secret.as_bytes(), "a secret without entities changes");
}
