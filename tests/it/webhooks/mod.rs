//! Webhooks from outside: what each platform sends, what it is answered, and what shoppers hear of it.

mod away;
mod guard;
mod meta;
mod parts;
mod shopify;
mod standard;
mod woocommerce;

use axum::{body::Body, http::Request};
use http_body::Body as _;
use serde_json::Value;

use crate::support::{Answer, Stream, TestApp};

/// Posts a delivery.
async fn deliver(app: &TestApp, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
    let body = body.into();
    let mut request = Request::post(path).header("content-type", "application/json");
    if let Some(length) = body.size_hint().exact() {
        request = request.header("content-length", length);
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    app.send(request.body(body).unwrap()).await
}

/// A figure from the metrics; 0 if it is not there.
async fn figure(app: &TestApp, name: &str) -> u64 {
    let text = app.get("/metrics").await.text;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map_or(0, |value| value.parse().unwrap())
}

/// Events appended so far.
async fn appended(app: &TestApp) -> u64 {
    figure(app, "shelfcast_events_appended_total").await
}

/// Deliveries of this platform with this outcome so far.
async fn outcome(app: &TestApp, platform: &str, outcome: &str) -> u64 {
    let labels = format!(r#"{{platform="{platform}",outcome="{outcome}"}}"#);
    figure(app, &format!("shelfcast_webhook_deliveries_total{labels}")).await
}

/// The type and data of each event in the next batch.
async fn told(stream: &mut Stream) -> Vec<(String, Value)> {
    let batch = stream.batch().await.data;
    let events = batch["events"].as_array().unwrap().iter();
    events.map(|event| (event["type"].as_str().unwrap().to_owned(), event["data"].clone())).collect()
}
