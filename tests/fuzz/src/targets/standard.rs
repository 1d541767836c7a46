//! Deliveries by the Standard Webhooks specification, and its headers.
//!
//! An input that has a line break is header lines separated by `;` and a body, which are not signed with a key of ours; any
//! other is a body, which is.

use axum::http::HeaderMap;
use shelfcast::ingest::webhooks::{Delivery, Platform as _, Secrets, Standard, WebhooksConfig};

use super::{deliveries, events::now};

/// Runs one input.
pub fn run(input: &[u8]) {
    let config = WebhooksConfig { standard: Secrets::new(["a secret"]), ..WebhooksConfig::default() };
    let backend = Standard::new(&config);
    match deliveries::split(input) {
        Some((headers, body)) => {
            assert!(!backend.verify(Delivery { headers: &headers, body }, now()), "nobody has signed it");
        }
        None => deliveries::check(&backend, HeaderMap::new(), input),
    }
    if let Some(key) = std::str::from_utf8(input).ok().and_then(Standard::key) {
        assert!((24..=64).contains(&key.len()), "a weak key");
    }
}
