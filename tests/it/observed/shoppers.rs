//! Whatever is said of products in whatever order, by whom and through which pod: a shopper who refetches at each word is never
//! left with less than the shop's last public state.
//!
//! The shop delivers a product as it is at that moment, once for all that changed since, as WooCommerce does. So it may have
//! been another in between, which only those know who were told to fetch it then.

use std::cell::Cell;

use proptest::{
    collection::vec,
    prelude::*,
    sample::select,
    test_runner::{Config, TestCaseError, TestRunner},
};
use shelfcast::{
    clock::Clock,
    eventlog::{
        Append, ClaimKey, HeardOnce, InputGap, LeaseToken, Message, NewEvent, Tail, Tailed,
        snapshots::{Sighting, Sightings},
    },
    model::{MessageDigest, ObservedProduct, ProductId, Visibility},
};
use tokio::runtime::{Builder, Runtime};

use super::{REDIS_LOG, World, decimal, memory, request, shirt, voided::word};
use crate::support::RedisServer;

/// What a shop shows: two things on one page, and one on another.
const THINGS: [(&str, Option<&str>); 3] = [("shirt", None), ("shirt", Some("m")), ("trousers", None)];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Look {
    price: u8,
    stock: u8,
    hidden: bool,
}

#[derive(Debug, Clone)]
enum Step {
    /// The shop changes a thing and says nothing yet.
    Change(usize, Look),
    /// It delivers these things; or, where they are hidden, that they are gone. With a hint about the first one's page?
    Deliver { pod: usize, things: Vec<usize>, says_gone: bool, hints: bool },
    /// The last delivery again, as it was.
    Again(usize),
    /// Somebody else speaks of the page of a thing.
    Word(usize, usize, Word),
}

#[derive(Debug, Clone, Copy)]
enum Word {
    Notify,
    /// With a claim that is known the second time.
    Claimed,
    Hint,
    Channel,
    Gap,
    GapOfEverything,
}

fn steps() -> impl Strategy<Value = Step> {
    let thing = || 0..THINGS.len();
    let look = (0_u8..2, 0_u8..2, prop::bool::weighted(0.1)).prop_map(|(price, stock, hidden)| Look {
        price,
        stock,
        hidden,
    });
    let words =
        [Word::Notify, Word::Claimed, Word::Hint, Word::Channel, Word::Gap, Word::GapOfEverything].to_vec();
    let things = prop_oneof![4 => thing().prop_map(|thing| vec![thing]), 1 => vec(thing(), 2..4)];
    prop_oneof![
        6 => (thing(), look).prop_map(|(thing, look)| Step::Change(thing, look)),
        8 => (0_usize..2, things, any::<bool>(), prop::bool::weighted(0.1))
            .prop_map(|(pod, things, says_gone, hints)| Step::Deliver { pod, things, says_gone, hints }),
        1 => (0_usize..2).prop_map(Step::Again),
        4 => (0_usize..2, thing(), select(words)).prop_map(|(pod, thing, word)| Step::Word(pod, thing, word)),
    ]
}

/// The shop, a shopper with every page open, and the log between them.
struct Play {
    world: World,
    tail: Box<dyn Tail>,
    /// Sets the products of this play apart from those of others on the same log.
    name: u64,
    shop: [Look; 3],
    /// When each was changed last, in steps.
    changed: [i64; 3],
    /// Changed, and not delivered yet.
    pending: [bool; 3],
    /// As the shopper fetched them last.
    fetched: [Look; 3],
    last_delivery: Option<Sightings>,
    step: i64,
}

impl Play {
    fn new(world: World, name: u64) -> Self {
        let look = Look { price: 0, stock: 0, hidden: false };
        let tail = world.pods[0].tail(world.read);
        Self {
            world,
            tail,
            name,
            shop: [look; 3],
            changed: [0; 3],
            pending: [false; 3],
            fetched: [look; 3],
            last_delivery: None,
            step: 0,
        }
    }

    fn page(&self, thing: usize) -> ProductId {
        ProductId::new(&format!("{}-{}", THINGS[thing].0, self.name)).unwrap()
    }

    fn hint(&self, thing: usize) -> NewEvent {
        word(self.page(thing).as_str())
    }

    async fn take(&mut self, step: &Step) {
        self.step += 1;
        match step {
            Step::Change(thing, look) => {
                self.pending[*thing] |= self.shop[*thing] != *look;
                (self.shop[*thing], self.changed[*thing]) = (*look, self.step);
            }
            Step::Deliver { pod, things, says_gone, hints } => {
                let delivery = self.delivery(things, *says_gone, *hints);
                self.world.pods[*pod].observe(delivery.clone()).await.unwrap();
                self.last_delivery = Some(delivery);
                things.iter().for_each(|thing| self.pending[*thing] = false);
            }
            Step::Again(pod) => {
                if let Some(delivery) = self.last_delivery.clone() {
                    assert!(self.world.pods[*pod].observe(delivery).await.unwrap().appended.repeated);
                }
            }
            Step::Word(pod, thing, word) => self.say(*pod, *thing, *word).await,
        }
        self.hear().await;
    }

    fn delivery(&self, things: &[usize], says_gone: bool, hints: bool) -> Sightings {
        let sighting = |thing: &usize| {
            let (look, (_, variation)) = (self.shop[*thing], THINGS[*thing]);
            let (product_id, variation_id) =
                (self.page(*thing), variation.map(|name| ProductId::new(name).unwrap()));
            let at = self.world.clock.now();
            if look.hidden && says_gone {
                return Sighting::Gone { product_id, variation_id, at };
            }
            let mut product = ObservedProduct {
                product_id,
                variation_id,
                updated_at: Some(at.plus_secs(self.changed[*thing] - 1_000)),
                status: if look.hidden { Visibility::Hidden } else { Visibility::Public },
                ..shirt(&look.price.to_string())
            };
            product.stock.quantity = Some(decimal(&look.stock.to_string()));
            Sighting::Shown(Box::new(product))
        };
        let name = format!("{}-{}", self.name, self.step);
        Sightings {
            request: request(&name, &name),
            events: things.iter().take(usize::from(hints)).map(|thing| self.hint(*thing)).collect(),
            sightings: things.iter().map(sighting).collect(),
            now: self.world.clock.now(),
        }
    }

    async fn say(&self, pod: usize, thing: usize, word: Word) {
        let log = &self.world.pods[pod];
        let claim = Some(ClaimKey::event(&format!("{}-{thing}", self.name)));
        let number = self.name * 1_000 + u64::try_from(self.step).unwrap();
        let heard = HeardOnce { number, digest: Some(MessageDigest::of("channel", &number.to_le_bytes())) };
        let message = Message { lease: LeaseToken(7), heard: Some(heard), from_mirror: false };
        let append = |event, message| Append { request: None, events: vec![event], message };
        let gap = |product_ids| InputGap { product_ids, lease: None };
        let hint = self.hint(thing);
        match word {
            Word::Notify => _ = log.append(append(hint, None)).await.unwrap(),
            Word::Claimed => _ = log.append(append(NewEvent { claim, ..hint }, None)).await.unwrap(),
            Word::Channel => _ = log.append(append(hint, Some(message))).await.unwrap(),
            Word::Hint => {
                let alone = Sightings { events: vec![hint], ..self.world.sightings(Vec::new(), None) };
                _ = log.observe(alone).await.unwrap();
            }
            Word::Gap => _ = log.append_gap(gap(vec![self.page(thing)])).await.unwrap(),
            Word::GapOfEverything => _ = log.append_gap(gap(Vec::new())).await.unwrap(),
        }
    }

    /// The shopper hears what was said, and fetches the pages that it was about.
    async fn hear(&mut self) {
        let head = self.world.pods[0].head().await.unwrap().position;
        while self.world.read.n < head.n {
            let tailed = self.tail.next().await.unwrap();
            let about: Vec<_> = match &tailed {
                Tailed::Entries(entries) => {
                    entries.iter().map(|entry| entry.event.product_id.clone()).collect()
                }
                Tailed::InputGap { product_ids, .. } if product_ids.is_empty() => {
                    (0..THINGS.len()).map(|thing| self.page(thing)).collect()
                }
                Tailed::InputGap { product_ids, .. } => product_ids.clone(),
                other => panic!("unexpected {other:?}"),
            };
            for thing in 0..THINGS.len() {
                if about.contains(&self.page(thing)) {
                    self.fetched[thing] = self.shop[thing];
                }
            }
            self.world.read = tailed.end().unwrap();
        }
    }

    /// Of what the shop delivered to the last, the shopper has nothing older.
    fn check(&self) -> Result<(), TestCaseError> {
        let public = |look: Look| (!look.hidden).then_some((look.price, look.stock));
        for thing in (0..THINGS.len()).filter(|thing| !self.pending[*thing]) {
            let (has, is) = (public(self.fetched[thing]), public(self.shop[thing]));
            prop_assert_eq!(has, is, "{:?} after step {}", THINGS[thing], self.step);
        }
        Ok(())
    }
}

async fn play(world: World, name: u64, steps: &[Step]) -> Result<(), TestCaseError> {
    let mut play = Play::new(world, name);
    for step in steps {
        play.take(step).await;
        play.check()?;
    }
    Ok(())
}

fn no_page_is_left_behind(cases: u32, runtime: &Runtime, fresh: impl Fn() -> World) {
    let (mut runner, name) = (TestRunner::new(Config { cases, ..Config::default() }), Cell::new(0));
    let played = runner.run(&vec(steps(), 1..50), |steps| {
        name.set(name.get() + 1);
        runtime.block_on(play(fresh(), name.get(), &steps))
    });
    played.unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn no_page_is_left_behind_in_memory() {
    let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    no_page_is_left_behind(2_000, &runtime, || runtime.block_on(memory()));
}

#[test]
fn no_page_is_left_behind_on_redis() {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let server = RedisServer::start();
    server.command(&["SET", "{shelfcast}:lease", "7"]);
    let pods =
        runtime.block_on(async { [server.log(REDIS_LOG).await as _, server.log(REDIS_LOG).await as _] });
    no_page_is_left_behind(100, &runtime, || {
        runtime.block_on(World::on(pods.clone(), Clock::system(), false, None))
    });
}

/// Goal: the shopper of these tests can be left behind. Method: a change of which nobody says anything.
#[tokio::test(start_paused = true)]
async fn a_change_that_nobody_tells_leaves_a_page_behind() {
    let mut play = Play::new(memory().await, 0);
    play.take(&Step::Change(0, Look { price: 1, stock: 0, hidden: false })).await;
    play.check().unwrap();
    play.pending[0] = false;
    assert!(play.check().is_err());
}
