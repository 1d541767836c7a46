//! Polling bodies, through the routes: a session is opened and connected, then posts the input and reads what comes of it.
//!
//! An input is the body of one POST: packets separated by U+001E.

use axum::{
    body::Body,
    http::{Request, Response, StatusCode},
};
use http_body_util::BodyExt as _;
use tokio::time::timeout;

use super::packets::{self, CONNECT, SEPARATOR};
use crate::gateway::{Gateway, QUIET, settled, with_gateway};

const PATH: &str = "/socket.io/?EIO=4&transport=polling";

/// Runs one input.
pub fn run(input: &[u8]) {
    with_gateway(async |gateway| {
        let input = gateway.with_epoch(input);
        let asked = String::from_utf8_lossy(&input);
        let session = Session::open(gateway).await;
        assert_eq!(session.post(CONNECT).await, StatusCode::OK);
        settled().await;
        let taken = session.post(input.clone()).await;
        assert!(is_an_answer(taken), "{taken}");
        session.drain(&asked).await;
        // The input may have closed it already.
        assert!(is_an_answer(session.post("1").await));
        gateway.is_as_before().await;
    });
}

/// What a session that is there, or no longer there, is answered.
fn is_an_answer(status: StatusCode) -> bool {
    matches!(status.as_u16(), 200 | 400 | 413)
}

struct Session<'a> {
    gateway: &'a Gateway,
    url: String,
}

impl<'a> Session<'a> {
    async fn open(gateway: &'a Gateway) -> Self {
        let (status, text) = read(gateway.send(request("GET", PATH, "")).await).await;
        assert_eq!(status, StatusCode::OK);
        let open: serde_json::Value = serde_json::from_str(&text[1..]).expect("an open packet");
        Self { gateway, url: format!("{PATH}&sid={}", open["sid"].as_str().expect("a session")) }
    }

    async fn post(&self, body: impl Into<Body>) -> StatusCode {
        read(self.gateway.send(request("POST", &self.url, body)).await).await.0
    }

    /// Reads until nothing more comes. The request that waits then is cut, as by a browser that goes.
    async fn drain(&self, asked: &str) {
        let poll = || self.gateway.send(request("GET", &self.url, ""));
        while let Ok(response) = timeout(QUIET, poll()).await {
            let (status, text) = read(response).await;
            if status != StatusCode::OK || text.is_empty() {
                assert!(is_an_answer(status), "{status}");
                return;
            }
            text.split(SEPARATOR).for_each(|packet| packets::check(packet, asked));
        }
    }
}

fn request(method: &str, uri: &str, body: impl Into<Body>) -> Request<Body> {
    Request::builder().method(method).uri(uri).body(body.into()).expect("a request")
}

async fn read(response: Response<Body>) -> (StatusCode, String) {
    let (head, body) = response.into_parts();
    let bytes = body.collect().await.expect("a body").to_bytes();
    (head.status, String::from_utf8(bytes.to_vec()).expect("text"))
}
