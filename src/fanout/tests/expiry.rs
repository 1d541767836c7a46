//! Whose token has expired.

use super::{shopper::Wire, *};

#[tokio::test(start_paused = true)]
async fn a_connection_is_told_apart_when_its_token_expires() {
    let setup = Setup { edge: Edge::Leading, queue_max: 8, history_max: 10, announced: true };
    let hub = World::new(setup).pod.hub;
    let now = Instant::now();
    let connect = |expires_at| hub.connect(Box::new(Wire::new(8)), true, expires_at).id();
    let after = |secs| Some(now + Duration::from_secs(secs));
    let (_anonymous, late, early) = (connect(None), connect(after(60)), connect(after(30)));
    let expired = |secs| {
        let found = hub.expired(now + Duration::from_secs(secs));
        found.iter().map(|subscriber| subscriber.id()).collect::<Vec<_>>()
    };
    assert_eq!(expired(29), []);
    assert_eq!(expired(30), [early]);
    assert_eq!(expired(60), [late, early], "those who came first stand first");
    hub.disconnect(early);
    assert_eq!(expired(86_400), [late], "who is gone needs no closing");
}
