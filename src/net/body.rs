//! Bodies with an eye on them: [`Timed`] for what comes in, [`Tracked`] for what goes out.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};

use super::Connection;

/// The body of a request, which has to come at a bearable pace.
#[derive(Debug)]
pub struct Timed {
    body: Incoming,
    /// Made when the body is first waited for: most are there with their head.
    deadline: Option<(Instant, Pin<Box<Sleep>>)>,
    received_bytes: u64,
}

/// The body did not come in time: the sender's fault, who may try again on a better line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body came too slowly")]
pub struct BodyTooSlow;

/// What a body may take in any case, and the pace beyond that: a phone on a bad line is faster.
const GRACE: Duration = Duration::from_secs(10);
const BYTES_PER_SEC: u64 = 8 * 1024;

impl Timed {
    pub(super) fn new(body: Incoming) -> Self {
        Self { body, deadline: None, received_bytes: 0 }
    }

    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let (start, sleep) = self.deadline.get_or_insert_with(|| {
            let now = Instant::now();
            (now, Box::pin(tokio::time::sleep_until(now + GRACE)))
        });
        let earned = Duration::from_secs(self.received_bytes / BYTES_PER_SEC);
        let deadline = *start + GRACE + earned;
        if sleep.deadline() != deadline {
            sleep.as_mut().reset(deadline);
        }
        sleep.as_mut().poll(cx)
    }
}

impl Body for Timed {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::BoxError>>> {
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(frame) => {
                if let Some(Ok(frame)) = &frame {
                    self.received_bytes += frame.data_ref().map_or(0, |data| data.remaining() as u64);
                }
                Poll::Ready(frame.map(|f| f.map_err(Into::into)))
            }
            Poll::Pending => {
                ready!(self.poll_late(cx));
                Poll::Ready(Some(Err(BodyTooSlow.into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A request that is being served; dropped, it has been answered.
pub(super) struct InService(Option<Connection>);

impl InService {
    pub(super) fn new(connection: Connection, version: axum::http::Version) -> Self {
        connection.request_started(version);
        Self(Some(connection))
    }

    /// The connection speaks another protocol from here on, to its end.
    pub(super) fn for_good(mut self) -> Self {
        if let Some(connection) = self.0.take() {
            connection.upgrade();
        }
        self
    }
}

impl Drop for InService {
    fn drop(&mut self) {
        if let Some(connection) = &self.0 {
            connection.request_ended();
        }
    }
}

/// The body of a response, with which the request ends.
pub(super) struct Tracked {
    pub(super) body: axum::body::Body,
    pub(super) _in_service: InService,
}

impl Body for Tracked {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
