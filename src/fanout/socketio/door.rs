//! The door of `/socket.io/`: every request passes here before the library sees it.
//!
//! It lets sessions in or not, gives each its [`Link`], and answers for sessions that were ended. What the packets say is
//! not read here.

use std::sync::Arc;

use axum::{
    body::{Body, to_bytes},
    extract::{ConnectInfo, Request, State},
    http::{
        HeaderMap, HeaderValue, Method, StatusCode, Uri,
        header::{
            CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
        },
    },
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde::Deserialize;

use super::{
    PATH,
    link::{Link, Links},
};
use crate::{
    fanout::Hub,
    net::Connection,
    web::{ClientAddress, Problem},
};

/// What the door knows.
#[derive(Debug, Clone)]
pub struct Door {
    hub: Arc<Hub>,
    links: Arc<Links>,
}

/// Bytes of the library's answer to a handshake: a session id and four numbers.
const OPEN_BYTES_MAX: usize = 4 * 1024;

/// The middleware. It stands around the library's layer.
pub async fn guard(State(door): State<Door>, request: Request, next: Next) -> Response {
    let ours = request.uri().path().strip_prefix(PATH).is_some_and(|p| p.is_empty() || p.starts_with('/'));
    if !ours {
        return next.run(request).await;
    }
    match session_id(request.uri()) {
        None => door.open(request, next).await.unwrap_or_else(IntoResponse::into_response),
        Some(sid) => match door.links.get(sid) {
            Some(link) => proceed(&link, request, next).await,
            // The library says so in its own words.
            None => next.run(slim(request)).await,
        },
    }
}

impl Door {
    /// A door to this hub.
    pub fn new(hub: Arc<Hub>) -> Self {
        Self { hub, links: Arc::default() }
    }

    /// A handshake.
    async fn open(&self, request: Request, next: Next) -> Result<Response, Problem> {
        if request.method() != Method::GET {
            return Ok(next.run(slim(request)).await);
        }
        let address = request.extensions().get::<ClientAddress>().map(|address| address.network());
        let seat = self.hub.admit(address)?;
        let link = Link::new(seat, connection(&request).filter(|_| is_upgrade(&request)));
        let mut request = slim(request);
        request.extensions_mut().insert(Arc::clone(&link));
        let response = next.run(request).await;
        if response.status() == StatusCode::OK { Ok(self.list(&link, response).await) } else { Ok(response) }
    }

    /// Reads the session id out of the answer to a polling handshake.
    async fn list(&self, link: &Arc<Link>, response: Response) -> Response {
        #[derive(Deserialize)]
        struct Open<'a> {
            sid: &'a str,
        }
        let (head, body) = response.into_parts();
        let Ok(body) = to_bytes(body, OPEN_BYTES_MAX).await else {
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        };
        let open = body.strip_prefix(b"0").and_then(|json| serde_json::from_slice::<Open<'_>>(json).ok());
        match open {
            Some(open) => self.links.list(open.sid, link),
            None => {
                tracing::error!("a handshake was answered without a session id; its session cannot be ended")
            }
        }
        Response::from_parts(head, Body::from(body))
    }
}

/// A request of a session that is listed.
async fn proceed(link: &Arc<Link>, request: Request, next: Next) -> Response {
    if link.is_ended() {
        return unknown_session();
    }
    if is_upgrade(&request) {
        let connection = connection(&request);
        let response = next.run(slim(request)).await;
        if let (StatusCode::SWITCHING_PROTOCOLS, Some(connection)) = (response.status(), connection) {
            link.carry(connection);
        }
        return response;
    }
    if request.method() != Method::GET {
        return next.run(request).await;
    }
    // Whatever the poll has to bring goes first.
    tokio::select! {
        biased;
        response = next.run(request) => response,
        () = link.ended() => unknown_session(),
    }
}

/// What the library says of a session it does not know. Clients open a new one then.
fn unknown_session() -> Response {
    let body = r#"{"code":1,"message":"Session ID unknown"}"#;
    (StatusCode::BAD_REQUEST, [(CONTENT_TYPE, "application/json")], body).into_response()
}

fn session_id(uri: &Uri) -> Option<&str> {
    uri.query()?.split('&').find_map(|pair| pair.strip_prefix("sid="))
}

fn is_upgrade(request: &Request) -> bool {
    request.headers().contains_key(SEC_WEBSOCKET_KEY)
}

fn connection(request: &Request) -> Option<Connection> {
    request.extensions().get::<ConnectInfo<Connection>>().map(|info| info.0.clone())
}

/// The request with copies of what the library reads of its head. It keeps the head for the life of the session: with it
/// it would keep the whole buffer the head was read into, and cookies that are nobody's business.
fn slim(mut request: Request) -> Request {
    let kept = [CONNECTION, UPGRADE, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, CONTENT_TYPE, CONTENT_LENGTH];
    let copied = kept.into_iter().filter_map(|name| {
        let value = HeaderValue::from_bytes(request.headers().get(&name)?.as_bytes()).ok()?;
        Some((name, value))
    });
    let headers: HeaderMap = copied.collect();
    *request.headers_mut() = headers;
    if let Ok(uri) = request.uri().to_string().parse() {
        *request.uri_mut() = uri;
    }
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_library_reads_is_kept_of_a_head() {
        let request = Request::get("/socket.io/?EIO=4&transport=websocket")
            .header("cookie", "session=secret")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
            .body(Body::empty())
            .unwrap();
        let slim = slim(request);
        assert_eq!(slim.headers().len(), 1);
        assert_eq!(slim.headers()["sec-websocket-key"], "dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(slim.uri(), "/socket.io/?EIO=4&transport=websocket");
    }

    #[test]
    fn a_session_is_named_in_the_query_only() {
        let sid = |uri: &'static str| session_id(&Uri::from_static(uri)).map(str::to_owned);
        assert_eq!(sid("/socket.io/?EIO=4&sid=abc&t=1").as_deref(), Some("abc"));
        assert_eq!(sid("/socket.io/?EIO=4&xsid=abc"), None);
        assert_eq!(sid("/socket.io/"), None);
    }
}
