//! The document at `/openapi.json` says what the code does: routes, methods, refusals, limits. What a live gateway answers is
//! compared with it by schemathesis (tests/openapi).

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use axum::{
    body::Body,
    http::{Method, Request},
};
use serde_json::Value;
use shelfcast::{
    ingest::notify::{BODY_BYTES_MAX, EVENTS_MAX, KEY_LEN_MAX},
    model::{Data, EventType, ProductId},
};

use crate::support::TestApp;

/// The layer in front of the routes serves it.
const SOCKET_IO: &str = "/socket.io/";

async fn document() -> Value {
    TestApp::start().await.get("/openapi.json").await.json()
}

fn source(path: &str) -> String {
    fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn names(object: &Value) -> BTreeSet<String> {
    object.as_object().unwrap().keys().cloned().collect()
}

/// Every text that stands behind `key` anywhere in the document, with the object it stands in.
fn each<'a>(value: &'a Value, key: &str, seen: &mut impl FnMut(&'a Value, &'a Value)) {
    match value {
        Value::Object(fields) => {
            if let Some(found) = fields.get(key) {
                seen(value, found);
            }
            fields.values().for_each(|value| each(value, key, seen));
        }
        Value::Array(items) => items.iter().for_each(|value| each(value, key, seen)),
        _ => {}
    }
}

#[tokio::test(start_paused = true)]
async fn it_is_served_as_it_stands_on_both_ports() {
    let app = TestApp::with(&[("ADMIN_PORT", "9100")]).await;
    for answer in [app.get("/openapi.json").await, app.get_admin("/openapi.json").await] {
        assert_eq!(answer.status, 200);
        assert_eq!(answer.headers["content-type"], "application/json");
        assert_eq!(answer.json()["openapi"], "3.1.0");
        assert_eq!(answer.json()["info"]["version"], env!("CARGO_PKG_VERSION"), "raise both");
    }
}

/// Goal: no route without a description and the other way round. Method: the one list of routes, read as text, because a
/// router does not tell its routes.
#[tokio::test(start_paused = true)]
async fn it_has_every_route_and_no_other() {
    let routes = source("src/app/router.rs");
    let mut routes: BTreeSet<_> = routes
        .split(".route(")
        .filter_map(|rest| rest.trim_start().strip_prefix('"'))
        .map(|rest| rest.split('"').next().unwrap_or_default().to_owned())
        .collect();
    routes.insert(SOCKET_IO.to_owned());
    assert!(routes.len() > 15, "{routes:?}");
    assert_eq!(routes, names(&document().await["paths"]));
}

/// Goal: the methods are those that are taken. Method: every method to every path; what is not described is refused with
/// the problem that the document names.
#[tokio::test(start_paused = true)]
async fn it_has_every_method_and_no_other() {
    // A webhook without its secret is not there, whatever the method.
    let app = TestApp::with(&[
        ("ADMIN_PORT", "9100"),
        ("WC_WEBHOOK_SECRET", "4fQmZ0xXr8VtB2nLk7Wd6yHs"),
        ("SHOPIFY_WEBHOOK_SECRET", "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"),
        ("META_APP_SECRET", "5d41402abc4b2a76b9719d911017c592"),
        ("META_VERIFY_TOKEN", "a-token-that-only-tests-know"),
        ("STANDARD_WEBHOOK_SECRET", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"),
    ])
    .await;
    let document = document().await;
    for (path, described) in document["paths"].as_object().unwrap() {
        if path == SOCKET_IO {
            continue;
        }
        for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let request = || Request::builder().method(&method).uri(path).body(Body::empty()).unwrap();
            let public = app.send(request()).await;
            let answer = if public.status == 404 { app.send_admin(request()).await } else { public };
            let told = described.get(method.as_str().to_ascii_lowercase()).is_some();
            assert_eq!(answer.status != 405, told, "{method} {path}: {answer:?}");
            assert_ne!(answer.status, 404, "{method} {path}");
            if answer.status == 405 {
                assert_eq!(answer.json()["code"], "method_not_allowed");
            }
        }
    }
}

/// Goal: every refusal is described. Method: the codes in `Problem`, with their statuses, against those of the responses.
#[tokio::test(start_paused = true)]
async fn it_has_every_problem_and_no_other() {
    let statuses = BTreeMap::from([
        ("BAD_REQUEST", 400),
        ("UNAUTHORIZED", 401),
        ("FORBIDDEN", 403),
        ("NOT_FOUND", 404),
        ("METHOD_NOT_ALLOWED", 405),
        ("REQUEST_TIMEOUT", 408),
        ("PAYLOAD_TOO_LARGE", 413),
        ("URI_TOO_LONG", 414),
        ("UNSUPPORTED_MEDIA_TYPE", 415),
        ("UNPROCESSABLE_ENTITY", 422),
        ("TOO_MANY_REQUESTS", 429),
        ("SERVICE_UNAVAILABLE", 503),
    ]);
    let text = source("src/web/problem.rs");
    let known: BTreeSet<_> = text
        .split("Self::new(StatusCode::")
        .skip(1)
        .map(|rest| {
            let (status, rest) = rest.split_once(',').unwrap();
            (statuses[status], rest.split('"').nth(1).unwrap().to_owned())
        })
        .collect();
    let document = document().await;
    let mut described = BTreeSet::new();
    each(&document["components"]["responses"], "status", &mut |fields, status| {
        for code in fields["code"]["enum"].as_array().unwrap() {
            described.insert((status["const"].as_u64().unwrap(), code.as_str().unwrap().to_owned()));
        }
    });
    assert!(known.len() > 15, "{known:?}");
    assert_eq!(known, described);
}

#[tokio::test(start_paused = true)]
async fn its_limits_are_those_of_the_code() {
    let document = document().await;
    let schemas = &document["components"]["schemas"];
    assert_eq!(schemas["EventList"]["properties"]["events"]["maxItems"], EVENTS_MAX);
    assert_eq!(schemas["Accepted"]["properties"]["accepted"]["maximum"], EVENTS_MAX);
    assert_eq!(schemas["Event"]["properties"]["eventId"]["maxLength"], KEY_LEN_MAX);
    let key = &document["components"]["parameters"]["IdempotencyKey"]["schema"];
    assert_eq!(key["maxLength"], KEY_LEN_MAX);
    let id = schemas["ProductId"]["pattern"].as_str().unwrap();
    assert!(id.contains(&format!("{{1,{}}}", ProductId::LEN_MAX)), "{id}");
    assert_eq!(schemas["EventType"]["enum"], serde_json::json!(EventType::ALL.map(EventType::as_str)));
    let says = |text: &Value, number: usize| text.as_str().unwrap().contains(&number.to_string());
    assert!(says(&schemas["Event"]["properties"]["data"]["description"], Data::LEN_MAX));
    assert!(says(&schemas["Event"]["properties"]["data"]["description"], Data::DEPTH_MAX));
    assert!(says(&document["paths"]["/api/notify"]["post"]["description"], BODY_BYTES_MAX));
}

/// Goal: generators can read it. Method: each reference leads somewhere, each operation has a name of its own and says how
/// it is allowed.
#[tokio::test(start_paused = true)]
async fn it_holds_together() {
    let document = document().await;
    let mut used = BTreeSet::new();
    each(&document, "$ref", &mut |_, reference| {
        let pointer = reference.as_str().unwrap().strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
        used.insert(pointer.to_owned());
    });
    for kind in ["parameters", "headers", "requestBodies", "responses", "schemas"] {
        for name in names(&document["components"][kind]) {
            // Every path may answer so, which cannot be said once for all of them.
            let general = name == "MethodNotAllowed";
            assert!(general || used.contains(&format!("/components/{kind}/{name}")), "{name} is unused");
        }
    }
    let (mut operations, mut count) = (BTreeSet::new(), 0);
    each(&document["paths"], "operationId", &mut |operation, id| {
        count += 1;
        operations.insert(id.as_str().unwrap().to_owned());
        let schemes = operation["security"].as_array().into_iter().flatten();
        for scheme in schemes.flat_map(names) {
            assert!(document["components"]["securitySchemes"].get(&scheme).is_some(), "{scheme}");
        }
        let secured = operation["security"].is_array();
        assert_eq!(operation["responses"]["401"].is_object(), secured, "{id}: 401 or no security");
    });
    assert_eq!(operations.len(), count);
}
