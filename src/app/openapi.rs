//! `GET /openapi.json`: the HTTP surface as OpenAPI 3.1. Describes; decides nothing.
//!
//! Written by hand, sent as it stands, and compared with the routes, the problems and the limits by
//! `tests/it/openapi.rs`. See ADR 0032.

use axum::{
    http::header::{CACHE_CONTROL, CONTENT_TYPE},
    response::{IntoResponse, Response},
};

/// The document.
const DOCUMENT: &str = include_str!("openapi.json");

pub(super) async fn openapi() -> Response {
    // It changes with the version only; a client that looks once a minute needs no newer one.
    ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "public, max-age=60")], DOCUMENT).into_response()
}
