//! S8, S16, S17: keys, and bodies of those who have none.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use axum::{body::Body, http::Request};
use bytes::Bytes;
use http_body::Frame;

use crate::support::{KEY, TestApp, config};

/// A body that must not be read.
struct Untouched;

impl http_body::Body for Untouched {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        panic!("a byte was read");
    }
}

/// Goal (S8): no small body becomes a large one. Method: every encoding, with a body that fails the test when it is read.
#[tokio::test(start_paused = true)]
async fn a_compressed_body_is_refused_unread() {
    let app = TestApp::start().await;
    for encoding in
        ["gzip", "x-gzip", "deflate", "br", "zstd", "gzip, identity", "GZIP", "identity, gzip", "?"]
    {
        for path in ["/api/notify", "/api/notify/batch"] {
            let request = Request::post(path)
                .header("x-api-key", KEY)
                .header("content-type", "application/json")
                .header("content-encoding", encoding);
            let answer = app.send(request.body(Body::new(Untouched)).unwrap()).await;
            assert_eq!(answer.status, 415, "{encoding}");
            assert_eq!(answer.json()["code"], "unsupported_encoding", "{encoding}");
        }
    }
}

/// Goal (S17): an answer does not tell how near a guess was. Method: every kind of wrong key, all answers compared.
#[tokio::test(start_paused = true)]
async fn every_wrong_key_gets_the_same_answer_unread() {
    let app = TestApp::start().await;
    let bearer = |key: &str| ("authorization", format!("Bearer {key}"));
    let longer = format!("{KEY}0");
    let guesses = [
        vec![],
        vec![("x-api-key", String::new())],
        vec![("x-api-key", "wrong".into())],
        vec![("x-api-key", KEY[..KEY.len() - 1].into())],
        vec![("x-api-key", longer.clone())],
        vec![("x-api-key", KEY.to_uppercase())],
        vec![("x-api-key", format!("{KEY},{KEY}"))],
        vec![bearer(&longer)],
        vec![("authorization", format!("Basic {KEY}"))],
        vec![("authorization", KEY.into())],
        vec![("x-api-key", "wrong".into()), bearer(KEY)],
    ];
    let mut answers = Vec::new();
    for headers in guesses {
        // Of one name, because an answer names its request.
        let mut request = Request::post("/api/notify").header("content-type", "application/json");
        request = request.header("x-request-id", "r-1");
        for (name, value) in &headers {
            request = request.header(*name, value);
        }
        let answer = app.send(request.body(Body::new(Untouched)).unwrap()).await;
        assert_eq!(answer.status, 401, "{headers:?}");
        answers.push((answer.text, format!("{:?}", answer.headers)));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:#?}");
}

/// Goal (S16): a key cannot get into a log by way of `{:?}`. Method: everything that holds the settings, printed.
#[test]
fn no_secret_can_be_printed() {
    let secret = "a-jwt-secret-that-only-tests-know-01234";
    let config = config(&[("JWT_SECRET", secret), ("REDIS_URL", "redis://user:hunter2@127.0.0.1:1")]);
    let printed = format!("{config:?} {config:#?}");
    for secret in [KEY, secret, "hunter2"] {
        assert!(!printed.contains(secret), "{printed}");
    }
}
