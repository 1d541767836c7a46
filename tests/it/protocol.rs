//! What `client-ts/fixtures` says is on the wire, word for word. The client's tests and `client-ts/PROTOCOL.md` read the same
//! files. The story: three events in one request, while somebody follows `product-123`.

use std::{fs, path::Path};

use serde_json::Value;

use crate::support::{Block, TestApp};

fn text(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("client-ts/fixtures").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What was said is the fixture, under whatever name this log goes.
fn assert_is(said: &Value, name: &str) {
    let fixture: Value = serde_json::from_str(&text(name)).unwrap();
    let cursor = said["cursor"].as_str().unwrap();
    let epoch = cursor.split_once('.').unwrap().0;
    let said: Value = serde_json::from_str(&said.to_string().replace(epoch, "k3f9m2qa")).unwrap();
    assert_eq!(said, fixture, "{name}");
}

async fn publish(app: &TestApp) -> Value {
    let answer = app.post(text("notify-request.json"), &[]).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    answer.json()
}

/// The next block of that name.
async fn next(stream: &mut crate::support::Stream, event: &str) -> Block {
    loop {
        let block = stream.next().await.expect("the stream ended");
        if block.event.as_deref() == Some(event) {
            return block;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_publisher_and_those_who_listen_read_what_the_fixtures_say() {
    let app = TestApp::start().await;
    let mut shopper = app.stream("products=product-123&features=resync").await;
    let opening = next(&mut shopper, "position").await;
    assert_is(&publish(&app).await, "notify-answer.json");
    assert_is(&next(&mut shopper, "batched_product_update").await.data, "batch.json");
    assert_is(&next(&mut shopper, "position").await.data, "position.json");

    let from = opening.id.unwrap();
    let mut late = app.resume("products=product-123&features=resync", Some(from.as_str())).await;
    assert_is(&next(&mut late, "batched_product_update").await.data, "replay.json");
    let mut stranger = app.resume("products=product-123&features=resync", Some("long ago")).await;
    assert_is(&next(&mut stranger, "resync_required").await.data, "resync-required.json");
}

/// Goal: who did not announce itself is told by a batch without events. Its time is that of the telling, so it is left out.
#[tokio::test(start_paused = true)]
async fn a_plain_client_reads_a_batch_without_events() {
    let app = TestApp::start().await;
    let mut shopper = app.stream("products=product-123&features=resync").await;
    publish(&app).await;
    next(&mut shopper, "batched_product_update").await;
    let mut plain = app.resume("products=product-123", Some("long ago")).await;
    let mut told = next(&mut plain, "batched_product_update").await.data;
    let fixture: Value = serde_json::from_str(&text("empty-batch.json")).unwrap();
    told["timestamp"] = fixture["timestamp"].clone();
    assert_is(&told, "empty-batch.json");
}
