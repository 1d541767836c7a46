//! A gateway to test against. Requests go through the real router; only the socket is left out.

mod redis;
mod stream;

use std::{collections::HashMap, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode, header::CONTENT_TYPE},
};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use shelfcast::{
    app::{App, AppError, Running},
    clock::Clock,
    config::{Config, DrainConfig, Values},
    eventlog::{EventLog, MemoryLog},
    ingest::Gate,
    model::LogTime,
};
use tower::ServiceExt as _;

pub use redis::RedisServer;
pub use stream::{Block, Stream};

pub const KEY: &str = "a-key-that-only-tests-know-0123456789";

/// A running gateway. On a log in memory its clock moves with tokio's time.
#[derive(Debug)]
pub struct TestApp {
    router: Router,
    admin: Option<Router>,
    running: Running,
}

/// An HTTP answer.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl TestApp {
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// A gateway with these settings.
    pub async fn with(settings: &[(&'static str, &str)]) -> Self {
        let config = config(settings);
        let log = Arc::new(memory_log(&config));
        let app = App::build_on(&config, log, clock()).await.unwrap();
        Self { router: app.router(), admin: app.admin_router(), running: app.start() }
    }

    /// A gateway on this log.
    pub async fn on(log: Arc<dyn EventLog>) -> Self {
        let app = Self::app_on(log).await;
        Self { router: app.router(), admin: None, running: app.start() }
    }

    /// A gateway on this log with these settings.
    pub async fn on_with(log: Arc<dyn EventLog>, settings: &[(&'static str, &str)]) -> Self {
        let app = App::build_on(&config(settings), log, clock()).await.unwrap();
        Self { router: app.router(), admin: None, running: app.start() }
    }

    /// One of the pods on this Redis.
    pub async fn pod(server: &RedisServer) -> Self {
        Self::pod_with(server, &[]).await
    }

    /// One of the pods on this Redis, with these settings besides.
    pub async fn pod_with(server: &RedisServer, settings: &[(&'static str, &str)]) -> Self {
        Self::try_pod(server, settings).await.unwrap()
    }

    /// The same, if the gateway agrees to start.
    pub async fn try_pod(server: &RedisServer, settings: &[(&'static str, &str)]) -> Result<Self, AppError> {
        Self::try_pod_at(&server.url(), settings).await
    }

    /// The same at this URL.
    pub async fn try_pod_at(url: &str, settings: &[(&'static str, &str)]) -> Result<Self, AppError> {
        let config = config(&[&[("REDIS_URL", url)], settings].concat());
        let app = App::build(&config).await?;
        Ok(Self { router: app.router(), admin: app.admin_router(), running: app.start() })
    }

    /// The same, not yet started.
    pub async fn app_on(log: Arc<dyn EventLog>) -> App {
        App::build_on(&config(&[]), log, clock()).await.unwrap()
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        Answer::of(self.router.clone().oneshot(request).await.unwrap()).await
    }

    /// Only the headers of an answer whose body may never end.
    pub async fn head(&self, request: Request<Body>) -> HeaderMap {
        self.router.clone().oneshot(request).await.unwrap().into_parts().0.headers
    }

    /// An answer whose body may never end.
    pub async fn open(&self, request: Request<Body>) -> axum::response::Response {
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    /// The value of one series, named as it is printed: `shelfcast_rooms`, `shelfcast_connections{transport="sse"}`.
    pub async fn metric(&self, series: &str) -> f64 {
        let text = self.get("/metrics").await.text;
        let value = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("{series} is not in\n{text}")).parse().unwrap()
    }

    /// Asks the admin port.
    pub async fn get_admin(&self, path: &str) -> Answer {
        self.send_admin(Request::get(path).body(Body::empty()).unwrap()).await
    }

    /// Asks the admin port anything.
    pub async fn send_admin(&self, request: Request<Body>) -> Answer {
        Answer::of(self.admin.clone().expect("ADMIN_PORT is set").oneshot(request).await.unwrap()).await
    }

    /// Posts to `/api/notify` as a publisher does.
    pub async fn post(&self, body: impl Into<Body>, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().method(Method::POST).uri("/api/notify").header("x-api-key", KEY);
        request = request.header(CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(body.into()).unwrap()).await
    }

    /// Tells one price change; it must be accepted. Returns its cursor.
    pub async fn price(&self, product_id: &str, new_price: u64) -> String {
        let event = json!({"productId": product_id, "type": "price_update", "data": {"newPrice": new_price}});
        let answer = self.post(event.to_string(), &[]).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        answer.json()["cursor"].as_str().unwrap().to_owned()
    }

    /// Opens a stream with this query.
    pub async fn stream(&self, query: &str) -> Stream {
        self.resume(query, None).await
    }

    /// Opens a stream as a browser does that was cut.
    pub async fn resume(&self, query: &str, last_event_id: Option<&str>) -> Stream {
        let mut request = Request::get(format!("/api/events?{query}"));
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        let response = self.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), 200);
        Stream::new(response.into_body())
    }

    /// The way in for what has no route here.
    pub fn gate(&self) -> &Gate {
        self.running.gate()
    }

    pub async fn drain(&self) {
        self.drain_after(Duration::ZERO).await;
    }

    pub async fn drain_after(&self, delay: Duration) {
        self.running.drain(DrainConfig { delay, ..DrainConfig::AT_ONCE }).await;
    }
}

pub fn config(settings: &[(&'static str, &str)]) -> Config {
    let mut flags = HashMap::from([("INTERNAL_API_KEY", KEY.to_owned())]);
    flags.extend(settings.iter().map(|(name, value)| (*name, (*value).to_owned())));
    Config::read(&Values { flags, env: Box::new(|_| None) }).unwrap()
}

/// For gateways on real sockets.
pub fn real_clock() -> Clock {
    Clock::system()
}

fn clock() -> Clock {
    Clock::from_tokio(LogTime::parse("2026-01-01T00:00:00Z").unwrap())
}

pub fn memory_log(config: &Config) -> MemoryLog {
    MemoryLog::new(config.log, clock())
}

/// Posts an event to `/api/notify` of these routes.
pub async fn post_to(router: Router, body: &'static str) -> Answer {
    let request =
        Request::post("/api/notify").header("x-api-key", KEY).header(CONTENT_TYPE, "application/json");
    Answer::of(router.oneshot(request.body(Body::from(body)).unwrap()).await.unwrap()).await
}

impl Answer {
    async fn of(response: axum::response::Response) -> Self {
        let (head, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Self { status: head.status, headers: head.headers, text: String::from_utf8(bytes.to_vec()).unwrap() }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {}", self.text))
    }
}
