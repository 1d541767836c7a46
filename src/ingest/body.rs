//! Reading the body of a request, up to a cap and never more than its sender told. What it says is read elsewhere.

use std::error::Error;

use axum::{
    body::Body,
    http::{HeaderMap, header::CONTENT_LENGTH},
};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::{net::BodyTooSlow, web::Problem};

/// The length that the sender told, if any.
pub(super) fn told_bytes(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Reads the body up to the cap; a longer one is refused before it is buffered where its length is told.
pub(super) async fn read_body(headers: &HeaderMap, body: Body, bytes_max: usize) -> Result<Bytes, Problem> {
    if told_bytes(headers).is_some_and(|told| told > bytes_max) {
        return Err(Problem::body_too_large(bytes_max));
    }
    match Limited::new(body, bytes_max).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if is_caused_by::<LengthLimitError>(&*error) => Err(Problem::body_too_large(bytes_max)),
        Err(error) if is_caused_by::<BodyTooSlow>(&*error) => Err(Problem::body_timeout()),
        // The connection broke on the way, so nobody reads this answer.
        Err(_) => Err(Problem::malformed_json(1, 1, "the body ended early")),
    }
}

fn is_caused_by<E: Error + 'static>(error: &(dyn Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| (*error).source()).any(|error| error.is::<E>())
}
