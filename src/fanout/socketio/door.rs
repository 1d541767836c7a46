//! The door of `/socket.io/`: every request passes here before the library sees it.
//!
//! It lets sessions in or not, gives each its [`Link`], and answers for sessions that were ended. What the packets say is
//! not read here.
//!
//! The library judges and answers the request for a WebSocket, but the connection is handed to it apart, once HTTP has let
//! go of it: so it keeps neither the request nor what HTTP put around the connection.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Weak},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{ConnectInfo, Request, State},
    http::{
        HeaderMap, HeaderValue, Method, StatusCode, Uri,
        header::{
            CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, REFERRER_POLICY, SEC_WEBSOCKET_KEY,
            SEC_WEBSOCKET_VERSION, UPGRADE,
        },
    },
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use hyper::{
    service::Service,
    upgrade::{OnUpgrade, Upgraded},
};
use hyper_util::{rt::TokioIo, server::conn::auto};
use parking_lot::Mutex;
use serde::Deserialize;

use super::{
    Library, MESSAGE_BYTES_MAX, PATH,
    link::{Link, Links},
};
use crate::{
    fanout::{Hub, NotAdmitted},
    net::{Connection, Guarded, NoSeat, Witness},
    tasks::Tasks,
    web::{ClientAddress, Problem},
};

/// What the door knows.
#[derive(Clone)]
pub struct Door {
    hub: Arc<Hub>,
    links: Arc<Links>,
    /// Sessions in the order they came, those that have not connected to the namespace among them.
    newcomers: Arc<Mutex<Newcomers>>,
    /// Serves what is let in.
    library: Library,
    tasks: Tasks,
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Door")
    }
}

type Newcomers = VecDeque<Weak<Link>>;

/// When a client that posts too much is to go on.
const POST_RETRY: Duration = Duration::from_secs(1);
/// Bytes of the library's answer to a handshake: a session id and four numbers.
const OPEN_BYTES_MAX: usize = 4 * 1024;

/// The middleware. It stands around the library.
async fn guard(State(door): State<Door>, request: Request, next: Next) -> Response {
    let mut response = match session_id(request.uri()) {
        None => door.open(request, next).await.unwrap_or_else(IntoResponse::into_response),
        Some(sid) => match door.links.get(sid) {
            Some(link) => door.proceed(&link, request, next).await,
            // The library says so in its own words.
            None => next.run(slim(request)).await,
        },
    };
    // A session id is as good as a password for as long as the session lives.
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

impl Door {
    /// A door to this hub, with the library behind it.
    pub fn new(hub: Arc<Hub>, library: Library, tasks: Tasks) -> Self {
        Self { hub, links: Arc::default(), newcomers: Arc::default(), library, tasks }
    }

    /// Its route, with all that lies under it.
    pub fn routes(self) -> Router {
        let library = self.library.clone();
        Router::new()
            .route_service(PATH, library.clone())
            .route_service(&format!("{PATH}/"), library.clone())
            .route_service(&format!("{PATH}/{{*rest}}"), library)
            .layer(middleware::from_fn_with_state(self, guard))
    }

    /// A handshake.
    async fn open(&self, request: Request, next: Next) -> Result<Response, Problem> {
        if request.method() != Method::GET {
            return Ok(next.run(slim(request)).await);
        }
        let address = request.extensions().get::<ClientAddress>().map(|address| address.network());
        let seat = match self.hub.admit(address) {
            Err(NotAdmitted::NoSeat(NoSeat::Full)) if self.make_room() => self.hub.admit(address),
            seat => seat,
        };
        let link = Link::new(Some(seat?));
        self.remember(&link);
        let mut request = request;
        let websocket = WebSocket::of(&mut request);
        let mut request = slim(request);
        request.extensions_mut().insert(Arc::clone(&link));
        let response = next.run(request).await;
        match response.status() {
            StatusCode::OK => {
                self.hub.admitted(address);
                Ok(self.list(&link, response).await)
            }
            StatusCode::SWITCHING_PROTOCOLS => {
                self.hub.admitted(address);
                if let Some(websocket) = websocket {
                    self.hand_over(websocket, link);
                }
                Ok(response)
            }
            // Not a handshake.
            _ => Ok(response),
        }
    }

    /// Keeps who has not connected within reach. As the library ends those that never do, this holds a few seconds' worth.
    fn remember(&self, link: &Arc<Link>) {
        let mut newcomers = self.newcomers.lock();
        while newcomers.front().is_some_and(|link| link.upgrade().is_none_or(|link| link.is_connected())) {
            newcomers.pop_front();
        }
        newcomers.push_back(Arc::downgrade(link));
    }

    /// Ends the session that has kept itself to itself for longest, if there is one: a client connects to the namespace
    /// at once, one that only takes places never does.
    fn make_room(&self) -> bool {
        let mut newcomers = self.newcomers.lock();
        std::iter::from_fn(|| newcomers.pop_front())
            .filter_map(|link| link.upgrade())
            .any(|link| link.end_unconnected())
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

    /// A request of a session that is listed.
    async fn proceed(&self, link: &Arc<Link>, request: Request, next: Next) -> Response {
        if link.is_ended() {
            return unknown_session();
        }
        if let Some(connection) = websocket(&request) {
            // The library answers a second one as well, and drops it; the first must stay the one that can be ended.
            if !link.begin_upgrade() {
                return bad_request();
            }
            let response = next.run(slim(request)).await;
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                link.carry_upgraded(connection);
            } else {
                link.stop_upgrade();
            }
            return response;
        }
        if request.method() != Method::GET {
            let bytes = body_bytes(&request);
            if !link.limits().post(bytes) {
                return Problem::too_many_messages(POST_RETRY).into_response();
            }
            return next.run(request).await;
        }
        // Whatever the poll has to bring goes first.
        tokio::select! {
            biased;
            response = next.run(request) => note_poll(link, response).await,
            () = link.ended() => unknown_session(),
        }
    }

    /// Hands a WebSocket to the library once the answer that makes it one has left: one that a session begins on. An
    /// upgrade stays the library's own, which ends the session when it fails.
    fn hand_over(&self, websocket: WebSocket, link: Arc<Link>) {
        link.carry(websocket.connection.clone());
        let (library, stop) = (self.library.clone(), self.tasks.stopping());
        self.tasks.spawn(async move {
            let WebSocket { connection, upgrade, uri } = websocket;
            let upgraded = stop.run_until_cancelled(upgrade).await;
            let Some(stream) = upgraded.and_then(Result::ok).and_then(stream) else {
                tracing::debug!("a connection ended before it was a WebSocket");
                return;
            };
            // From here on everything that is written to it is a frame.
            connection.share(Arc::clone(&link) as Arc<dyn Witness>);
            // All that the library keeps of a request.
            let mut request = hyper::Request::new(());
            *request.uri_mut() = uri;
            request.extensions_mut().insert(link);
            // Boxed: the library's task has room for it several times, and keeps that for as long as the session lives.
            if let Err(error) = library.call((Box::new(stream), request)).await {
                tracing::error!(%error, "the library does not take a handshake that it answered");
            }
        });
    }
}

/// A request that may turn its connection into a WebSocket. The connection is then the session's own; others are shared
/// with whatever comes after them, and through a proxy with other clients.
struct WebSocket {
    connection: Connection,
    upgrade: OnUpgrade,
    uri: Uri,
}

impl WebSocket {
    /// Takes the upgrade out of such a request; the library finds none there, and only answers.
    fn of(request: &mut Request) -> Option<Self> {
        let connection = websocket(request)?;
        let uri = copied(request.uri());
        Some(Self { connection, upgrade: request.extensions_mut().remove()?, uri })
    }
}

/// The connection of such a request. A poll is none, whatever its headers say.
fn websocket(request: &Request) -> Option<Connection> {
    let transport = query(request.uri(), "transport=");
    if request.method() != Method::GET || transport != Some("websocket") {
        return None;
    }
    request.extensions().get::<OnUpgrade>()?;
    request.headers().get(SEC_WEBSOCKET_KEY)?;
    request.extensions().get::<ConnectInfo<Connection>>().map(|info| info.0.clone())
}

/// The stream itself, with what the client has said on it so far.
fn stream(upgraded: Upgraded) -> Option<Guarded> {
    let parts = auto::upgrade::downcast::<TokioIo<Guarded>>(upgraded).ok()?;
    Some(parts.io.into_inner().with_unread(&parts.read_buf))
}

/// Notes what a poll takes along.
async fn note_poll(link: &Link, response: Response) -> Response {
    let (head, body) = response.into_parts();
    // The library's own answer, which is in memory as it is.
    let Ok(packets) = to_bytes(body, usize::MAX).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    link.polled(&packets);
    Response::from_parts(head, Body::from(packets))
}

/// What the library says of a session it does not know. Clients open a new one then.
fn unknown_session() -> Response {
    let body = r#"{"code":1,"message":"Session ID unknown"}"#;
    (StatusCode::BAD_REQUEST, [(CONTENT_TYPE, "application/json")], body).into_response()
}

/// What the library says of a request it cannot make sense of.
fn bad_request() -> Response {
    let body = r#"{"code":3,"message":"Bad request"}"#;
    (StatusCode::BAD_REQUEST, [(CONTENT_TYPE, "application/json")], body).into_response()
}

/// Whether a request belongs to a session: that goes on where it is, also while this process is on its way out.
pub fn is_of_session(uri: &Uri) -> bool {
    is_ours(uri) && session_id(uri).is_some()
}

fn is_ours(uri: &Uri) -> bool {
    uri.path().strip_prefix(PATH).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The length of a body as its head tells it; where it does not, as long as it may be.
fn body_bytes(request: &Request) -> usize {
    let told = request.headers().get(CONTENT_LENGTH).and_then(|told| told.to_str().ok()?.parse().ok());
    told.unwrap_or(MESSAGE_BYTES_MAX)
}

fn session_id(uri: &Uri) -> Option<&str> {
    query(uri, "sid=")
}

/// The first value of that name, as the library finds it.
fn query<'a>(uri: &'a Uri, name: &str) -> Option<&'a str> {
    uri.query()?.split('&').find_map(|pair| pair.strip_prefix(name))
}

/// The request with copies of what the library reads of its head. It keeps the head for the life of the session: with it
/// it would keep the whole buffer the head was read into, and cookies that are nobody's business.
fn slim(mut request: Request) -> Request {
    let kept = [CONNECTION, UPGRADE, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, CONTENT_TYPE, CONTENT_LENGTH];
    let read = kept.into_iter().filter_map(|name| {
        let value = HeaderValue::from_bytes(request.headers().get(&name)?.as_bytes()).ok()?;
        Some((name, value))
    });
    let headers: HeaderMap = read.collect();
    *request.headers_mut() = headers;
    *request.uri_mut() = copied(request.uri());
    request
}

fn copied(uri: &Uri) -> Uri {
    uri.to_string().parse().unwrap_or_default()
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
