//! [`Front`]: where every request of the public port arrives. It names it, notes who sent it, and counts what is refused.
//!
//! Publishers' requests, which are by far the most, go from here straight to their door. Everything else, theirs from
//! a browser included, goes through the router and what stands in front of its routes. That is worth having: a router clones
//! each of its layers for each request, and with the eight it had that cost more than everything else done for an event.

use std::{convert::Infallible, sync::Arc};

use axum::{
    BoxError, Router,
    body::Body,
    extract::ConnectInfo,
    http::{
        HeaderValue, Method, Request, StatusCode, Version,
        header::{CONNECTION, ORIGIN, VARY},
        request,
    },
    response::Response,
};
use bytes::Bytes;
use tower::{ServiceExt, service_fn};

use super::{
    health::Health,
    requests::{X_REQUEST_ID, named},
};
use crate::{
    fanout::socketio,
    ingest::{http::NotifyDoor, notify::Form},
    net::{Answering, Answers, Connection, Timed},
    telemetry::Metrics,
    web::{ClientAddress, Origins, RefusedWith, TrustedProxies},
};

/// The public port. Cheap to clone.
#[derive(Clone)]
pub(super) struct Front(Arc<Parts>);

/// What stands at the front.
pub(super) struct Parts {
    pub(super) door: Arc<NotifyDoor>,
    pub(super) router: Router,
    pub(super) health: Arc<Health>,
    pub(super) origins: Arc<Origins>,
    pub(super) proxies: Arc<TrustedProxies>,
    pub(super) metrics: Arc<Metrics>,
    /// What this process is called.
    pub(super) pod: Arc<str>,
}

impl Answers for Front {
    fn answer(&self, request: Request<Timed>, connection: Connection) -> Answering {
        Box::pin(Arc::clone(&self.0).answer(request, Some(connection)))
    }
}

impl Front {
    pub(super) fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// The same as a router, for tests that need no socket.
    pub(super) fn into_router(self) -> Router {
        Router::new().fallback_service(service_fn(move |request: Request<Body>| {
            let answering = Arc::clone(&self.0).answer(request, None);
            async { Ok::<_, Infallible>(answering.await) }
        }))
    }
}

impl Parts {
    /// Answers a request in its own name.
    // Not an async function, and in one piece: each one inside another has room for what it is given twice, and beyond a
    // kilobyte the allocator takes its slow way for each request.
    fn answer<B>(
        self: Arc<Self>,
        request: Request<B>,
        connection: Option<Connection>,
    ) -> impl Future<Output = Response> + Send
    where
        B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
    {
        let (head, mut body) = request.into_parts();
        let (context, name) = named(&self.pod, &head.headers);
        context.scope(async move {
            // HTTP/2 has a word of its own for parting, and forbids the header. A session that polls stays until its turn,
            // and there may be no new connection for its next request.
            let parts = head.version < Version::HTTP_2 && !socketio::is_of_session(&head.uri);
            // A test may call without a connection.
            let client = connection.as_ref().map(|c| self.proxies.client(c.peer().ip(), &head.headers));
            let mut response = match self.form(&head) {
                Some(form) => {
                    let mut response = self.door.answer(&head, &mut body, form, client).await;
                    // With an origin the answer would have been another.
                    response.headers_mut().insert(VARY, HeaderValue::from_static("origin"));
                    response
                }
                None => self.route(Request::from_parts(head, Body::new(body)), connection, client).await,
            };
            if let Some(RefusedWith(code)) = response.extensions().get() {
                self.metrics.refused(code);
            }
            // Who asks again is to ask another pod: no connection outlives its answer once this one is on its way out.
            if parts && self.health.is_draining() && response.status() != StatusCode::SWITCHING_PROTOCOLS {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            response.headers_mut().insert(X_REQUEST_ID, name);
            response
        })
    }

    fn route(
        &self,
        mut request: Request<Body>,
        connection: Option<Connection>,
        client: Option<ClientAddress>,
    ) -> Answering {
        let extensions = request.extensions_mut();
        connection.map(|connection| extensions.insert(ConnectInfo(connection)));
        client.map(|client| extensions.insert(client));
        let answering = self.router.clone().oneshot(request);
        Box::pin(async { answering.await.unwrap_or_else(|never| match never {}) })
    }

    /// What a publisher posts. `None`: it is something else, or may come from a browser's page, whose origin is to be
    /// judged, and whose page reads the headers of CORS.
    fn form(&self, head: &request::Parts) -> Option<Form> {
        let form = match head.uri.path() {
            "/api/notify" => Form::Any,
            "/api/notify/batch" => Form::Batch,
            _ => return None,
        };
        let from_page = self.origins.required || head.headers.contains_key(ORIGIN);
        (head.method == Method::POST && !from_page).then_some(form)
    }
}
