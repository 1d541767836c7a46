//! Deliveries of Meta, and its handshake.
//!
//! An input that begins with `?` is the query of a handshake, any other the body of a delivery.

use axum::http::{HeaderMap, Uri};
use shelfcast::{
    ingest::webhooks::{Handshake, Meta, Platform as _, Secrets, WebhooksConfig},
    web::ApiKeys,
};

use super::deliveries;

const TOKEN: &str = "token-of-this-target";

/// Runs one input.
pub fn run(input: &[u8]) {
    let config = WebhooksConfig {
        meta: Secrets::new(["a secret"]),
        meta_verify_tokens: Some(ApiKeys::new([TOKEN])),
        ..WebhooksConfig::default()
    };
    let app = Meta::new(&config);
    let Some(query) = input.strip_prefix(b"?") else {
        return deliveries::check(&app, HeaderMap::new(), input);
    };
    let Ok(uri) = Uri::try_from([b"/?", query].concat()) else { return };
    if let Handshake::Granted(answer) = app.handshake(&uri) {
        let plain = percent_free(uri.query().unwrap_or_default());
        assert!(
            !plain || uri.query().is_some_and(|query| query.contains(TOKEN)),
            "granted without the token"
        );
        assert_eq!(answer.headers()["content-type"], "text/plain; charset=utf-8");
        assert_eq!(answer.status(), 200);
    }
}

/// Whether the query says what it says without escapes, so that it can be looked into as it is.
fn percent_free(query: &str) -> bool {
    !query.contains(['%', '+'])
}
