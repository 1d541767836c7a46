//! A client of SSE: it reads the real stream, block by block, and comes back with the last id it saw.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{Request, State},
};
use http_body_util::BodyExt as _;
use serde::Deserialize;
use shelfcast::{
    clock::Clock,
    fanout::sse::{self, EventsDoor},
    web::{Authenticator, JwtKeys},
};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    client::{ANSWER_TIMEOUT, Batch, Habits},
    dice::Dice,
    world::{Pod, World},
};
use crate::history::{Answer, Name, Op};

pub(super) struct StreamClient {
    pub(super) world: Arc<World>,
    pub(super) dice: Dice,
    pub(super) name: String,
    pub(super) habits: Habits,
    pub(super) wanted: BTreeSet<usize>,
    pub(super) connections: u64,
    pub(super) last_id: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Resync<'a> {
    #[serde(borrow)]
    reason: &'a str,
    #[serde(rename = "productIds")]
    products: Option<Vec<String>>,
    cursor: &'a str,
}

impl StreamClient {
    pub(super) async fn run(mut self, until: CancellationToken) {
        loop {
            tokio::select! {
                biased;
                () = until.cancelled() => return,
                () = self.visit() => {}
            }
            if self.habits.leaves && (self.dice.percent(10) || self.world.settled.is_cancelled()) {
                return;
            }
            let longest =
                if self.world.settled.is_cancelled() { 300 } else { self.dice.pick(&[100, 800, 4_000]) };
            let wait = Duration::from_millis(self.dice.between(1, longest));
            tokio::select! {
                biased;
                () = until.cancelled() => return,
                () = self.world.settled.cancelled(), if !self.world.settled.is_cancelled() => {}
                () = sleep(wait) => {}
            }
        }
    }

    async fn visit(&mut self) {
        let Some(pod) = self.world.any_pod(&mut self.dice) else { return };
        let world = Arc::clone(&self.world);
        let leaves_at =
            Instant::now() + Duration::from_millis(self.dice.between(1, self.habits.stays_ms * 2));
        let mut conn = None;
        tokio::select! {
            biased;
            () = pod.life.cancelled() => {}
            () = world.cut.notified() => {}
            () = world.restless_until(leaves_at) => {}
            () = self.stay(&pod, &mut conn) => {}
        }
        if let Some(conn) = conn {
            world.recorder.note(|_| Op::Close { conn });
        }
    }

    async fn stay(&mut self, pod: &Arc<Pod>, slot: &mut Option<Name>) {
        sleep(Duration::from_millis(self.dice.between(1, 4))).await;
        pod.flows().await;
        if self.dice.percent(self.habits.forgets) {
            self.last_id = None;
        }
        if self.dice.percent(10) && !self.world.settled.is_cancelled() {
            // Another page, with other products: it starts over.
            self.turn();
        }
        let world = Arc::clone(&self.world);
        self.connections += 1;
        let products: Vec<_> = self.wanted.iter().map(|i| format!("p{i}")).collect();
        world.recorder.note(|names| {
            let conn = names.of(&format!("{}.{}", self.name, self.connections));
            *slot = Some(conn);
            Op::Open {
                client: names.of(&self.name),
                conn,
                pod: names.of(&pod.name),
                transport: names.of("sse"),
                announced: self.habits.announced,
            }
        });
        let Some(conn) = *slot else { return };
        for product in &products {
            world.recorder.note(|names| Op::Join {
                conn,
                product: names.of(product),
                since: self.last_id.as_deref().and_then(|id| names.position(id)),
            });
        }
        let Ok(mut body) = self.request(pod, &products).await else { return };
        let mut opened = false;
        loop {
            if !world.settled.is_cancelled() && self.habits.reads_ms > 0 {
                sleep(Duration::from_millis(self.dice.between(1, self.habits.reads_ms))).await;
            }
            let numb = *world.numb_until.lock();
            sleep_until(numb).await;
            pod.flows().await;
            let Some(Ok(frame)) = body.frame().await else { return };
            let Ok(block) = frame.into_data() else { return };
            let text = String::from_utf8_lossy(&block);
            let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
            if let Some(data) = field("data: ") {
                self.event(conn, field("event: ").unwrap_or_default(), data);
            }
            let Some(id) = field("id: ") else { continue };
            self.last_id = Some(id.to_owned());
            if !opened {
                opened = true;
                for product in &products {
                    world.recorder.note(|names| Op::Joined {
                        conn,
                        product: names.of(product),
                        result: Answer::Stream,
                        cursor: names.position(id),
                    });
                }
            } else if field("event: ").is_none_or(|event| event == "position") {
                world.recorder.note(|names| Op::Position { conn, cursor: names.position(id) });
            }
        }
    }

    async fn request(&mut self, pod: &Pod, products: &[String]) -> Result<Body, ()> {
        let mut uri = format!("/api/events?products={}", products.join(","));
        if self.habits.announced {
            uri.push_str("&features=resync");
        }
        if let Some(id) = &self.last_id {
            uri.push_str("&lastEventId=");
            uri.push_str(id);
        }
        let request = Request::get(uri).body(Body::empty()).map_err(|_| ())?;
        let authenticator = Arc::new(Authenticator::new(JwtKeys::default(), false, Clock::system()));
        let door = Arc::new(EventsDoor { hub: Arc::clone(&pod.hub), authenticator });
        let answer = timeout(ANSWER_TIMEOUT, sse::events(State(door), request)).await;
        match answer {
            Ok(Ok(response)) => Ok(response.into_body()),
            Ok(Err(_)) => {
                self.world.misbehaved.lock().push(format!("{} was refused a stream", self.name));
                Err(())
            }
            Err(_) => Err(()),
        }
    }

    fn event(&self, conn: Name, event: &str, data: &str) {
        let recorder = &self.world.recorder;
        match event {
            "batched_product_update" => match serde_json::from_str::<Batch<'_>>(data) {
                Ok(batch) => recorder.note(|names| batch.op(names, conn)),
                Err(_) => self.world.misbehaved.lock().push(format!("a block cannot be read: {data}")),
            },
            "resync_required" => match serde_json::from_str::<Resync<'_>>(data) {
                Ok(resync) => recorder.note(|names| Op::Resync {
                    conn,
                    products: resync
                        .products
                        .as_ref()
                        .map(|all| all.iter().map(|product| names.of(product)).collect()),
                    reason: names.of(resync.reason),
                    cursor: names.position(resync.cursor),
                }),
                Err(_) => self.world.misbehaved.lock().push(format!("a block cannot be read: {data}")),
            },
            _ => {}
        }
    }

    fn turn(&mut self) {
        let products = self.world.figures.products;
        self.last_id = None;
        self.wanted = (0..=self.dice.index(products)).map(|_| self.dice.index(products)).collect();
    }
}
