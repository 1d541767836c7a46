//! `GET /api/events`: what the query and `Last-Event-ID` ask for.
//!
//! An input is the query, and behind the first line break the header; without a line break there is no header.

use axum::http::{HeaderMap, HeaderValue, Uri};
use shelfcast::{fanout::sse::Subscription, index::Since, model::ProductId};

use super::events;

const PRODUCTS_MAX: usize = 200;

/// Runs one input.
pub fn run(input: &[u8]) {
    let mut parts = input.splitn(2, |byte| *byte == b'\n');
    let query = parts.next().unwrap_or_default();
    // What the HTTP library takes for no URL or no header never comes as far as this.
    let Ok(uri) = Uri::try_from([b"/api/events?".as_slice(), query].concat()) else { return };
    let mut headers = HeaderMap::new();
    let header = parts.next();
    if let Some(header) = header {
        let Ok(value) = HeaderValue::from_bytes(header) else { return };
        headers.insert("last-event-id", value);
    }
    match Subscription::read(&uri, &headers, PRODUCTS_MAX) {
        Ok(asked) => check(&asked, header),
        Err(problem) => events::check_refusal(&problem),
    }
}

fn check(asked: &Subscription, header: Option<&[u8]>) {
    let ids = &asked.products;
    assert!((1..=PRODUCTS_MAX).contains(&ids.len()), "{} products", ids.len());
    assert!(ids.is_sorted_by(|a, b| a < b), "a product is named twice");
    assert!(ids.iter().all(|id| ProductId::new(id.as_str()).as_ref() == Ok(id)));
    if let Some(header) = header.filter(|header| !header.is_empty()) {
        let since = Since::parse(&String::from_utf8_lossy(header));
        assert_eq!(asked.since, Some(since), "the browser's own header comes first");
    }
}
