//! Every route in one list, grouped by who calls it. What comes before them is [`Front`]'s.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{Request, State},
    http::{HeaderValue, Method, StatusCode, header, request},
    middleware::{self, Next},
    response::{Html, IntoResponse, Response},
    routing::{get, post},
};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::{
    front::{Front, Parts},
    health::{Health, Report},
    openapi::openapi,
    requests::{X_REQUEST_ID, identify},
    trace::{Tracer, trace},
};
use crate::{
    fanout::{
        socketio::Door,
        sse::{self, EventsDoor},
    },
    ingest::{
        http::{NotifyDoor, notify, notify_batch},
        webhooks::{self, Pipeline, WebhooksConfig},
    },
    telemetry::Metrics,
    web::{Origins, Problem, TrustedProxies},
};

/// What the routes lead to.
pub(super) struct Routes {
    pub(super) door: Arc<NotifyDoor>,
    pub(super) pipeline: Arc<Pipeline>,
    pub(super) webhooks: WebhooksConfig,
    pub(super) events: Arc<EventsDoor>,
    pub(super) sockets: Door,
    pub(super) health: Arc<Health>,
    pub(super) origins: Arc<Origins>,
    pub(super) proxies: Arc<TrustedProxies>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) console: bool,
    /// What this process is called.
    pub(super) pod: Arc<str>,
    /// Metrics and details have a port of their own.
    pub(super) private_admin: bool,
}

impl Routes {
    /// The public port.
    pub(super) fn public(&self) -> Front {
        Front::new(Parts {
            door: Arc::clone(&self.door),
            router: self.router(),
            health: Arc::clone(&self.health),
            origins: Arc::clone(&self.origins),
            proxies: Arc::clone(&self.proxies),
            metrics: Arc::clone(&self.metrics),
            pod: Arc::clone(&self.pod),
        })
    }

    /// Its routes. Origins are checked in front of everything, Socket.IO included: WebSockets ignore CORS.
    fn router(&self) -> Router {
        let publishers = Router::new()
            .route("/api/notify", post(notify))
            .route("/api/notify/batch", post(notify_batch))
            .with_state(Arc::clone(&self.door));
        let browsers =
            Router::new().route("/api/events", get(sse::events)).with_state(Arc::clone(&self.events));
        let mut router = publishers
            .merge(self.platforms())
            .merge(browsers)
            .merge(self.sockets.clone().routes())
            .merge(self.orchestrator());
        router = if self.private_admin {
            router.merge(Router::new().route("/health", get(health)).with_state(Arc::clone(&self.health)))
        } else {
            router.merge(self.operator())
        };
        if self.console {
            router = router.route("/", get(console));
        }
        router
            .fallback(async || Problem::not_found())
            .method_not_allowed_fallback(async || Problem::method_not_allowed())
            .layer(middleware::from_fn_with_state(Arc::clone(&self.origins), check_origin))
            .layer(self.cors())
            // Now, and not anew for each request: the library would begin with no session each time.
            .with_state(())
    }

    /// Shops and platforms that post by themselves.
    fn platforms(&self) -> Router {
        let (pipeline, config) = (&self.pipeline, &self.webhooks);
        Router::new()
            .route("/api/webhooks/product-update", pipeline.route(webhooks::WooCommerce::new(config)))
            .route("/api/webhooks/woocommerce", pipeline.route(webhooks::WooCommerce::new(config)))
            .route("/api/webhooks/shopify", pipeline.route(webhooks::Shopify::new(config)))
            .route("/api/webhooks/whatsapp", pipeline.route(webhooks::Meta::new(config)))
            .route("/api/webhooks/facebook", pipeline.route(webhooks::Meta::new(config)))
            .route("/api/webhooks/custom", pipeline.route(webhooks::Standard::new(config)))
    }

    /// The private port.
    pub(super) fn admin(&self) -> Router {
        let tracer = Tracer { hub: Arc::clone(&self.events.hub), pod: Arc::clone(&self.pod) };
        self.operator()
            .merge(self.orchestrator())
            .merge(Router::new().route("/trace/{productId}", get(trace)).with_state(tracer))
            .fallback(async || Problem::not_found())
            .method_not_allowed_fallback(async || Problem::method_not_allowed())
            .layer(middleware::from_fn_with_state(Arc::clone(&self.pod), identify))
    }

    fn operator(&self) -> Router {
        Router::new()
            .route("/health", get(detailed_health))
            .route("/metrics", get(metrics))
            .with_state(Arc::clone(&self.health))
    }

    /// What may be asked on either port.
    fn orchestrator(&self) -> Router {
        Router::new()
            .route("/health/live", get(async || "live\n"))
            .route("/health/ready", get(ready))
            .route("/openapi.json", get(openapi))
            .with_state(Arc::clone(&self.health))
    }

    /// Tells browsers what [`check_origin`] lets through. Credentials: the Socket.IO client may be told to send them.
    fn cors(&self) -> CorsLayer {
        let origins = Arc::clone(&self.origins);
        let allow = move |origin: &HeaderValue, _: &request::Parts| {
            origin.to_str().is_ok_and(|o| origins.allow_origin(o))
        };
        CorsLayer::new()
            .allow_origin(AllowOrigin::predicate(allow))
            .allow_credentials(true)
            .allow_methods([Method::GET, Method::POST])
            .expose_headers([X_REQUEST_ID, header::RETRY_AFTER])
            // Browsers cap it at two hours or less; without it they ask before every request that is not a plain one.
            .max_age(Duration::from_secs(600))
            .allow_headers([
                header::CONTENT_TYPE,
                header::AUTHORIZATION,
                header::HeaderName::from_static("last-event-id"),
            ])
    }
}

async fn check_origin(State(origins): State<Arc<Origins>>, request: Request, next: Next) -> Response {
    // A platform has no origin, and is known by its signature.
    if request.uri().path().starts_with("/api/webhooks/")
        || origins.allow_request(request.headers(), request.uri())
    {
        next.run(request).await
    } else {
        Problem::origin_not_allowed().into_response()
    }
}

async fn health(State(health): State<Arc<Health>>) -> Json<Report> {
    Json(health.report(false))
}

async fn detailed_health(State(health): State<Arc<Health>>) -> Json<Report> {
    Json(health.report(true))
}

async fn ready(State(health): State<Arc<Health>>) -> Response {
    if health.is_ready() {
        "ready\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n").into_response()
    }
}

async fn metrics(State(health): State<Arc<Health>>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], health.metrics()).into_response()
}

async fn console() -> Response {
    // The page is one file: nothing is loaded from anywhere, and nothing may be.
    let policy = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    let headers = [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (headers, Html(include_str!("console.html"))).into_response()
}
