//! S4, S5: rooms of others.

use serde_json::json;

use crate::support::TestApp;

/// Goal (S4): a room is a checked id, never a text put together. Method: ids that would break out of `product:<id>`.
#[tokio::test(start_paused = true)]
async fn an_id_cannot_reach_into_another_room() {
    let app = TestApp::start().await;
    for bad in [
        "p1%0Ap2",
        "p1%00",
        "..%2Fp1",
        "%2A",
        "p1*",
        "%7Bp1%7D",
        "p%C3%B8",
        "[p1]",
        "%22p1%22",
        &"x".repeat(129),
    ] {
        let answer = app.get(&format!("/api/events?products={bad}")).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["code"]),
            (400, &json!("invalid_product_id")),
            "{bad}"
        );
    }
    assert_eq!(app.get("/health").await.json()["rooms"]["totalRooms"], 0);

    // Spelt like the room of another product, and like a part of its id: still rooms of their own.
    let mut others = app.stream("products=product:p1,p1:,:p1,p,P1,p1.p1").await;
    let mut own = app.stream("products=p1").await;
    app.price("p1", 7).await;
    assert_eq!(own.batch().await.text("productId"), "p1");
    assert!(others.is_quiet().await);
}

/// Goal (S5): who asks does not learn which products there are. Method: the same stream for one that has history and
/// one that was never heard of; all that differs is the jitter of `retry`.
#[tokio::test(start_paused = true)]
async fn a_known_product_is_answered_like_an_unknown_one() {
    let app = TestApp::start().await;
    let at = app.price("sold-out", 1).await;
    app.stream("products=sold-out").await.batch().await;
    for last_id in [None, Some(at.as_str())] {
        for features in ["", "&features=resync"] {
            let mut answers = Vec::new();
            for product in ["sold-out", "unheard-of"] {
                let mut stream = app.resume(&format!("products={product}{features}"), last_id).await;
                let mut blocks = Vec::new();
                for _ in 0..2 {
                    let mut block = stream.next().await.unwrap();
                    block.retry = None;
                    blocks.push(block);
                }
                answers.push(blocks);
            }
            assert_eq!(answers[0], answers[1], "{last_id:?} {features}");
        }
    }
    let reports = [app.get("/health").await.text, app.get("/metrics").await.text].concat();
    assert!(!reports.contains("sold-out"), "nobody is told which rooms there are");
}
