//! A page with an `EventSource`, cut between any two blocks.

use std::{sync::Arc, time::Duration};

use http_body_util::BodyExt as _;
use proptest::prelude::*;
use serde_json::Value;
use tokio::time::timeout;

use super::{Knowledge, PRODUCTS, Pod, Setup, Step, World, block_on, product, setups, steps};
use crate::{
    fanout::sse::{Carrier, Subscription, open},
    index::Since,
    web::Visitor,
};

/// A page with an `EventSource`, or what it amounts to.
struct Page {
    announced: bool,
    stream: Option<axum::body::Body>,
    last_id: Option<String>,
    knows: Knowledge,
}

impl Page {
    async fn come_back(&mut self, pod: &Pod) {
        if self.stream.is_some() {
            return;
        }
        if self.last_id.is_none() {
            // It cannot say where it was, so it is promised nothing for its absence.
            self.knows.since = pod.accepted_count();
        }
        let subscription = Subscription {
            products: (0..PRODUCTS).map(product).collect(),
            announced: self.announced,
            since: self.last_id.as_deref().map(Since::parse),
        };
        let response =
            open(Arc::clone(&pod.hub), subscription, Carrier::Http(None), None, Visitor::Anonymous).await;
        self.stream = Some(response.into_body());
    }

    /// Reads one block; false if there is none now.
    async fn read(&mut self, pod: &Pod) -> bool {
        let Some(stream) = &mut self.stream else {
            return false;
        };
        let Ok(Some(Ok(block))) = timeout(Duration::ZERO, stream.frame()).await else {
            return false;
        };
        let block = String::from_utf8(block.into_data().unwrap().to_vec()).unwrap();
        assert!(block.ends_with("\n\n") && !block.trim_end().contains("\n\n"), "one block: {block:?}");
        let field = |name: &str| block.lines().find_map(|l| l.strip_prefix(name));
        let data: Value = field("data: ").map(|d| serde_json::from_str(d).unwrap()).unwrap_or_default();
        match field("event: ") {
            Some("batched_product_update") => self.batch(pod, &data),
            Some("resync_required") => self.resync(pod, &data),
            Some("position") | None => {}
            Some(other) => panic!("unknown event {other}"),
        }
        if let Some(id) = field("id: ") {
            let (new, old) = (Since::parse(id), self.last_id.as_deref().map(Since::parse));
            if let (Since::Cursor(new), Some(Since::Cursor(old))) = (new, old) {
                assert!(new.epoch != old.epoch || new.n >= old.n, "the id went back from {old} to {new}");
            }
            self.last_id = Some(id.to_owned());
        }
        true
    }

    fn batch(&mut self, pod: &Pod, batch: &Value) {
        let events = batch["events"].as_array().unwrap();
        assert_eq!(batch["count"], events.len());
        self.knows.received.extend(events.iter().map(|e| e["data"]["n"].as_u64().unwrap() as usize));
        if events.is_empty() {
            assert!(!self.announced, "an announced client is told in words");
            self.refetch(pod, batch["productId"].as_str().unwrap());
        }
    }

    fn resync(&mut self, pod: &Pod, resync: &Value) {
        assert!(self.announced, "a plain client does not know this word");
        match resync.get("productIds") {
            Some(ids) => {
                ids.as_array().unwrap().iter().for_each(|id| self.refetch(pod, id.as_str().unwrap()))
            }
            None => (0..PRODUCTS).for_each(|i| self.refetch(pod, product(i).as_str())),
        }
    }

    fn refetch(&mut self, pod: &Pod, id: &str) {
        let i = (0..PRODUCTS).find(|i| product(*i).as_str() == id).unwrap();
        self.knows.refetch(pod, i);
    }
}

async fn play(setup: Setup, steps: &[Step]) -> Vec<usize> {
    let mut world = World::new(setup);
    let mut page =
        Page { announced: setup.announced, stream: None, last_id: None, knows: Knowledge::default() };
    for step in steps {
        match *step {
            Step::Event { product } => world.event(product).await,
            Step::EventOfPage { product } => world.event_of_page(product),
            Step::Pause { ms } => world.pause(ms).await,
            Step::Read { blocks } => {
                for _ in 0..blocks {
                    page.read(&world.pod).await;
                }
            }
            Step::Cut => page.stream = None,
            Step::ComeBack => page.come_back(&world.pod).await,
            Step::Beat => world.pod.beat(),
            Step::PayDebts => world.pod.hub.pay_debts().await,
            Step::Gap => world.gap().await,
            Step::NewEpoch => world.new_epoch().await,
        }
    }
    // Everything comes to rest: windows close, debts are paid, the page reads all there is.
    page.come_back(&world.pod).await;
    world.pause(1_000).await;
    world.pause(1_000).await;
    while page.read(&world.pod).await {}
    for _ in 0..20 {
        world.pause(100).await;
        world.pod.hub.pay_debts().await;
        while page.read(&world.pod).await {}
    }
    assert!(world.pod.hub.debtors.lock().is_empty(), "a debt was never paid");
    page.knows.silent_gaps(&world.pod)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn a_stream_that_is_cut_anywhere_has_no_silent_gap(setup in setups(), steps in steps()) {
        prop_assert_eq!(block_on(play(setup, &steps)), Vec::<usize>::new());
    }
}
