//! Reading the body of a request, up to a cap and never more than its sender told. What it says is read elsewhere.

use std::error::Error;

use axum::{
    BoxError,
    http::{HeaderMap, header::CONTENT_LENGTH},
};
use bytes::{Bytes, BytesMut};
use http_body::Body;
use http_body_util::BodyExt;

use crate::{net::BodyTooSlow, web::Problem};

/// The length that the sender told, if any.
pub(super) fn told_bytes(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Reads the body up to the cap; a longer one is refused before it is buffered where its length is told.
pub(super) async fn read_body<B>(
    headers: &HeaderMap,
    body: &mut B,
    bytes_max: usize,
) -> Result<Bytes, Problem>
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    if told_bytes(headers).is_some_and(|told| told > bytes_max) {
        return Err(Problem::body_too_large(bytes_max));
    }
    // Most bodies come in one piece, which is taken as it is.
    let (mut first, mut whole) = (Bytes::new(), BytesMut::new());
    while let Some(frame) = body.frame().await {
        let data = frame.map_err(unread)?.into_data().unwrap_or_default();
        if first.len().max(whole.len()) + data.len() > bytes_max {
            return Err(Problem::body_too_large(bytes_max));
        }
        if first.is_empty() {
            first = data;
            continue;
        }
        if whole.is_empty() {
            whole.extend_from_slice(&first);
        }
        whole.extend_from_slice(&data);
    }
    Ok(if whole.is_empty() { first } else { whole.freeze() })
}

/// Why a body did not come to its end.
fn unread(error: impl Into<BoxError>) -> Problem {
    if is_caused_by::<BodyTooSlow>(&*error.into()) {
        return Problem::body_timeout();
    }
    // The connection broke on the way, so nobody reads this answer.
    Problem::malformed_json(1, 1, "the body ended early")
}

fn is_caused_by<E: Error + 'static>(error: &(dyn Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| (*error).source()).any(|error| error.is::<E>())
}

#[cfg(test)]
mod tests {
    use std::{
        collections::VecDeque,
        convert::Infallible,
        io,
        pin::Pin,
        task::{Context, Poll},
    };

    use http_body::Frame;

    use super::*;

    /// A body in these pieces, then an error if there is one.
    struct Pieces<E>(VecDeque<&'static str>, Option<E>);

    impl<E: Into<BoxError> + Unpin> Body for Pieces<E> {
        type Data = Bytes;
        type Error = E;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, E>>> {
            let next = self.0.pop_front().map(|piece| Ok(Frame::data(Bytes::from(piece))));
            Poll::Ready(next.or_else(|| self.1.take().map(Err)))
        }
    }

    async fn read(pieces: &[&'static str]) -> Result<Bytes, String> {
        let mut body = Pieces::<Infallible>(pieces.iter().copied().collect(), None);
        read_body(&HeaderMap::new(), &mut body, 8).await.map_err(|problem| problem.to_string())
    }

    #[tokio::test]
    async fn a_body_is_the_same_in_one_piece_and_in_many() {
        for pieces in [&["abcdef"][..], &["abc", "def"], &["", "ab", "", "cd", "ef", ""]] {
            assert_eq!(read(pieces).await.unwrap(), "abcdef", "{pieces:?}");
        }
        assert_eq!(read(&[]).await.unwrap(), "");
        assert_eq!(read(&["12345678"]).await.unwrap().len(), 8);
    }

    #[tokio::test]
    async fn a_byte_too_many_is_refused_in_whichever_piece_it_comes() {
        for pieces in [&["123456789"][..], &["12345678", "9"], &["1234", "5678", "9"], &["12", "3456789"]] {
            assert!(read(pieces).await.unwrap_err().starts_with("body_too_large"), "{pieces:?}");
        }
    }

    #[tokio::test]
    async fn why_a_body_did_not_end_is_told() {
        let read = async |error: BoxError| {
            let mut body = Pieces(["ab"].into(), Some(error));
            read_body(&HeaderMap::new(), &mut body, 8).await.unwrap_err().to_string()
        };
        assert!(read(BodyTooSlow.into()).await.starts_with("body_timeout"));
        assert!(read(io::Error::other("gone").into()).await.starts_with("malformed_json"));
    }
}
