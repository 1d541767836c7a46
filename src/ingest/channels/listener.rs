//! [`Listener`]: hears the input channels and, while this pod holds the lease, appends what was heard. Decides nothing
//! about what may be missing: [`Heard`] does.
//!
//! Two tasks share it. [`Listener::listen`] hears, and asks ten times a second how the lease stands; [`Listener::append`]
//! appends, one message after the other.

use std::{collections::HashSet, sync::Arc, time::Duration};

use fred::{
    interfaces::{ClientLike, EventInterface, PubsubInterface},
    types::{CustomCommand, Message as Published, Value},
    util::redis_keyslot,
};
use parking_lot::Mutex;
use tokio::{
    sync::{
        Notify,
        broadcast::{
            self,
            error::{RecvError, TryRecvError},
        },
        watch,
    },
    time::{Instant, MissedTickBehavior, interval, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    Channel, ChannelNames, DeadLetters, Heard, HeardBounds, HeardMessage, Hearing, Mark, Parsed, Source,
    lease::{Lease, View, Wish},
    parse,
};
use crate::{
    eventlog::{Append, AppendError, HeardOnce, InputGap, LeaseToken, Message},
    ingest::{Gate, Refused},
    model::{LogTime, MessageDigest, Position},
    redis::{Keys, Link, once},
    telemetry::{Context, Metrics, Way},
};

/// What one pod hears on the input channels.
#[derive(Debug)]
pub struct Listener {
    gate: Arc<Gate>,
    lease: Lease,
    subscriber: Link,
    names: ChannelNames,
    dead: DeadLetters,
    metrics: Arc<Metrics>,
    heard: Mutex<Heard>,
    /// The lease this pod holds, once it may append under it.
    holding: watch::Sender<Option<LeaseToken>>,
    /// How far this pod has read the log.
    applied: watch::Sender<Option<Position>>,
    /// Something may be appended.
    wake: Notify,
    /// Channels on which something unreadable came: logged once each.
    complained: Mutex<HashSet<Channel>>,
}

/// What the listening task knows from one beat to the next.
#[derive(Debug, Default)]
struct Listening {
    /// Breaks of the connection that are known. `None`: there is no subscription.
    subscribed_at_break: Option<u64>,
    /// Everything published before that time was heard by that mark.
    heard_until: Option<(LogTime, Mark)>,
    /// Beats for which nobody held the lease.
    free_beats: u32,
    /// A holder had accounted for something. Redis may forget it; whoever lived through that does not.
    saw_holder: bool,
    /// An input gap that this pod appended: told once the log is read up to there.
    gap: Option<(Position, Mark)>,
    /// Settled once the log is read up to that position.
    to_settle: Option<(LogTime, Position)>,
}

impl Listener {
    /// How often the lease is looked at. A new holder's first word of what is accounted for takes two beats to reach the
    /// others; should it end before, its successor cannot tell what was appended, and appends some of it twice.
    const BEAT: Duration = Duration::from_millis(100);
    /// How long a subscription may take, or an answer on its connection.
    const TIMEOUT: Duration = Duration::from_secs(1);
    /// How long a new holder reads on to the log's head. Less than the lease lasts.
    const CATCH_UP: Duration = Duration::from_millis(1_500);
    /// Beats for which a pod that has a gap leaves the lease to one that has none.
    const LEAVE_TO_OTHERS_BEATS: u32 = 6;
    /// Between two tries to append.
    const RETRY: Duration = Duration::from_millis(100);

    /// A listener. It hears nothing before [`listen`](Self::listen) runs.
    pub fn new(
        gate: Arc<Gate>,
        commands: Arc<Link>,
        subscriber: Link,
        keys: &Keys,
        dead: DeadLetters,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            gate,
            lease: Lease::new(commands, keys),
            subscriber,
            names: ChannelNames::new(&keys.channel("")),
            dead,
            metrics,
            heard: Mutex::new(Heard::new(HeardBounds::default())),
            holding: watch::Sender::new(None),
            applied: watch::Sender::new(None),
            wake: Notify::new(),
            complained: Mutex::default(),
        }
    }

    /// The lease this pod holds.
    pub fn holding(&self) -> watch::Receiver<Option<LeaseToken>> {
        self.holding.subscribe()
    }

    /// An entry was read from the log.
    pub fn strike(&self, digest: MessageDigest) {
        self.heard.lock().strike(Instant::now(), digest);
    }

    /// The log was read up to here.
    pub fn applied(&self, position: Position) {
        self.applied.send_replace(Some(position));
    }

    /// Hears until `stop`, and lets another pod have the lease then.
    pub async fn listen(self: Arc<Self>, stop: CancellationToken) {
        let client = self.subscriber.handle();
        let mut messages = client.message_rx();
        let mut beats = interval(Self::BEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut listening = Listening::default();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                _ = beats.tick() => self.beat(&mut listening, &mut messages).await,
                message = messages.recv() => self.hear_result(message, &mut listening),
            }
        }
        let token = *self.holding.borrow();
        if let Some(token) = token {
            let covered = self.covered(&listening);
            self.lose(token);
            // An append that may be under way is refused from here on, and done by whoever takes the lease.
            let _ = self.lease.ask(Wish::Give(token, covered)).await;
        }
    }

    fn hear_result(&self, message: Result<Published, RecvError>, listening: &mut Listening) {
        match message {
            Ok(message) => self.hear(&message),
            Err(RecvError::Lagged(missed)) => {
                tracing::warn!(missed, "messages from the channels came faster than they could be taken");
                // As good as a broken subscription: the next beat lets the lease go and subscribes anew.
                listening.subscribed_at_break = None;
            }
            // The client lives as long as this does.
            Err(RecvError::Closed) => {}
        }
    }

    fn hear(&self, message: &Published) {
        let Some(channel) = self.names.channel(&message.channel) else { return };
        let Some(payload) = message.value.as_bytes() else { return };
        let now = self.gate.clock().now();
        match parse(channel, payload, now) {
            Parsed::Mirrored => self.metrics.channel_messages.of("mirrored").increment(1),
            Parsed::Unreadable(reason) => {
                self.metrics.channel_messages.of("unreadable").increment(1);
                if self.complained.lock().insert(channel) {
                    tracing::warn!(channel = channel.name(), %reason, "a message cannot be read; told once a channel");
                }
                // Every pod hears it; one of them keeps it.
                if self.holding.borrow().is_some() {
                    let full_name = &*message.channel;
                    self.dead.keep(Source::Channel { channel: full_name }, &reason, now, payload);
                }
            }
            Parsed::Events(_) => {
                self.metrics.channel_messages.of("heard").increment(1);
                let hearing =
                    self.heard.lock().hear(Instant::now(), HeardMessage::new(channel, payload, now));
                if let Hearing::Overflowed { dropped } = hearing {
                    self.metrics.channel_messages.of("dropped").increment(dropped as u64);
                }
                self.wake.notify_one();
            }
        }
    }

    /// Looks how the lease stands, and makes sure that everything published before that was heard.
    async fn beat(&self, listening: &mut Listening, messages: &mut broadcast::Receiver<Published>) {
        let mine = *self.holding.borrow();
        let covered = self.covered(listening);
        let mark = self.heard.lock().mark();
        let wish = mine.map_or(Wish::Look, |token| Wish::Hold(token, covered));
        let Ok(view) = self.lease.ask(wish).await else {
            // What is appended under a lease that was lost meanwhile is refused by the log.
            return;
        };
        self.heard.lock().stamp(mark, view.now);
        if let Some(token) = mine.filter(|_| !view.held) {
            self.lose(token);
        }
        // What was dropped has to be told, and whoever takes the lease does so; unless that is under way.
        if listening.gap.is_none() && self.heard.lock().overflowed() {
            self.let_go().await;
        }
        let unbroken = self.is_unbroken(listening, messages).await;
        if !unbroken {
            // Whoever heard everything meanwhile has the lease from here on, if there is anybody.
            self.heard.lock().interrupted();
            listening.heard_until = None;
            self.let_go().await;
            self.subscribe(listening).await;
            return;
        }
        listening.heard_until = Some((view.now, self.heard.lock().mark()));
        self.settle(listening, &view);
        self.tell_what_redis_forgot(listening, &view).await;
        if !view.held && view.free {
            listening.free_beats += 1;
            let gap = !self.heard.lock().continuity().reaches(view.covered_until);
            if !gap || listening.free_beats >= Self::LEAVE_TO_OTHERS_BEATS {
                self.take(listening, messages).await;
            }
        } else {
            listening.free_beats = 0;
        }
    }

    /// A Redis that lost its data does not know up to when everything was accounted for, and a pod that is new takes that
    /// for the first start. A pod that lived through it says so, whoever holds the lease.
    async fn tell_what_redis_forgot(&self, listening: &mut Listening, view: &View) {
        if view.covered_until.is_some() {
            listening.saw_holder = true;
        } else if listening.saw_holder {
            let gap = InputGap { product_ids: Vec::new(), lease: None };
            listening.saw_holder = self.append_gap(gap, listening).await.is_err();
        }
    }

    async fn append_gap(&self, gap: InputGap, listening: &mut Listening) -> Result<(), Refused> {
        let mark = self.heard.lock().mark();
        let position = self.gate.append_gap(gap).await?;
        tracing::warn!(%position, "messages on the input channels may have been missed; everyone is told");
        self.metrics.input_gaps.increment(1);
        listening.gap = Some((position, mark));
        Ok(())
    }

    /// Up to which time everything published is accounted for, if that is known.
    fn covered(&self, listening: &Listening) -> Option<LogTime> {
        let (until, mark) = listening.heard_until?;
        self.heard.lock().accounted(mark).then_some(until)
    }

    /// Whether everything published so far was heard.
    async fn is_unbroken(
        &self,
        listening: &mut Listening,
        messages: &mut broadcast::Receiver<Published>,
    ) -> bool {
        let subscribed = |listening: &Listening| {
            listening.subscribed_at_break.is_some_and(|breaks| breaks == self.subscriber.breaks())
        };
        subscribed(listening) && self.hear_to_now(listening, messages).await && subscribed(listening)
    }

    /// Subscribes; what was published before is not heard.
    async fn subscribe(&self, listening: &mut Listening) {
        listening.subscribed_at_break = None;
        let breaks = self.subscriber.breaks();
        let Ok(client) = self.subscriber.client() else { return };
        let names = self.names.subscriptions();
        if client.with_options(&once(Self::TIMEOUT)).subscribe(names).await.is_err() {
            return;
        }
        // Asked for after the last channel was confirmed, and the events that tell of a connection are read again.
        let Ok(view) = self.lease.ask(Wish::Look).await else { return };
        if self.subscriber.breaks() != breaks {
            return;
        }
        tracing::debug!("listening to the input channels");
        self.heard.lock().subscribed(view.now);
        listening.subscribed_at_break = Some(breaks);
    }

    /// Hears everything published so far: an answer on the subscription's own connection comes after all messages before
    /// it. False: there was no answer.
    async fn hear_to_now(
        &self,
        listening: &mut Listening,
        messages: &mut broadcast::Receiver<Published>,
    ) -> bool {
        let mut pong = std::pin::pin!(self.ping());
        // Messages are taken meanwhile: the answer stands behind all that wait.
        let answered = loop {
            tokio::select! {
                answered = &mut pong => break answered,
                message = messages.recv() => self.hear_result(message, listening),
            }
        };
        loop {
            match messages.try_recv() {
                Ok(message) => self.hear(&message),
                Err(TryRecvError::Lagged(missed)) => {
                    self.hear_result(Err(RecvError::Lagged(missed)), listening)
                }
                Err(TryRecvError::Empty | TryRecvError::Closed) => return answered,
            }
        }
    }

    /// In a cluster a subscription sticks to the node of the client's id, and so must the question.
    async fn ping(&self) -> bool {
        let Ok(client) = self.subscriber.client() else { return false };
        let slot = redis_keyslot(client.id().as_bytes());
        let ping = CustomCommand::new_static("PING", slot, false);
        let pong: Result<Value, _> =
            client.with_options(&once(Self::TIMEOUT)).custom(ping, Vec::<String>::new()).await;
        pong.is_ok()
    }

    /// Forgets what a holder has accounted for and what everyone was told, once the log is read as far as it was then.
    fn settle(&self, listening: &mut Listening, view: &View) {
        let applied = *self.applied.borrow();
        let read = |position: Position| {
            applied.is_some_and(|applied| applied.epoch == position.epoch && applied.n >= position.n)
        };
        let in_epoch = |position: Position| applied.is_some_and(|applied| applied.epoch == position.epoch);
        let newest = view.covered_until.zip(view.head);
        let waiting = listening.to_settle.take().filter(|(_, position)| in_epoch(*position));
        match waiting.or(newest) {
            Some((until, position)) if read(position) => self.heard.lock().settle(until),
            not_yet => listening.to_settle = not_yet,
        }
        if let Some((_, mark)) =
            listening.gap.take_if(|(position, _)| read(*position) || !in_epoch(*position))
        {
            self.heard.lock().gap_told(mark);
        }
    }

    /// Takes the lease, reads the log to its head so that what the last holder appended is struck out, and says where
    /// something may be missing.
    async fn take(&self, listening: &mut Listening, messages: &mut broadcast::Receiver<Published>) {
        // Random, so that no two holdings share one, whatever Redis forgets.
        let token = LeaseToken(rand::random());
        let Ok(view) = self.lease.ask(Wish::Take(token)).await else { return };
        if !view.held {
            return;
        }
        let took_over = self.take_over(token, view.covered_until, listening, messages);
        if let Ok(true) = timeout(Self::CATCH_UP, took_over).await {
            tracing::info!("appending what the input channels bring");
            self.metrics.lease_held.set(1.0);
            listening.saw_holder = true;
            self.holding.send_replace(Some(token));
            self.wake.notify_one();
        } else {
            let _ = self.lease.ask(Wish::Give(token, None)).await;
        }
    }

    async fn take_over(
        &self,
        token: LeaseToken,
        covered_until: Option<LogTime>,
        listening: &mut Listening,
        messages: &mut broadcast::Receiver<Published>,
    ) -> bool {
        // Everything published before the lease was taken is heard first, and all that was appended is read.
        if !self.hear_to_now(listening, messages).await || listening.subscribed_at_break.is_none() {
            return false;
        }
        let Ok(head) = self.gate.head().await else { return false };
        self.has_applied(head.position).await;
        let (take, since) = {
            let mut heard = self.heard.lock();
            (heard.take_over(covered_until), heard.continuity().since())
        };
        if take.gap {
            let gap = InputGap { product_ids: Vec::new(), lease: Some(token) };
            if self.append_gap(gap, listening).await.is_err() {
                return false;
            }
        }
        // From here on this pod answers for what is published.
        self.lease.ask(Wish::Hold(token, since)).await.is_ok_and(|view| view.held)
    }

    /// Waits until the log was read up to `position`, or goes on in another epoch.
    async fn has_applied(&self, position: Position) {
        let reached = |applied: &Option<Position>| {
            applied.is_some_and(|applied| applied.epoch != position.epoch || applied.n >= position.n)
        };
        // The sender lives as long as this does.
        let _ = self.applied.subscribe().wait_for(reached).await;
    }

    /// Lets a pod that heard everything have the lease.
    async fn let_go(&self) {
        let token = *self.holding.borrow();
        if let Some(token) = token {
            self.lose(token);
            let _ = self.lease.ask(Wish::Give(token, None)).await;
        }
    }

    /// This holding is over; a later one may have begun.
    fn lose(&self, token: LeaseToken) {
        if self.holding.send_if_modified(|held| held.take_if(|held| *held == token).is_some()) {
            self.metrics.lease_held.set(0.0);
            tracing::info!("no longer appending what the input channels bring");
        }
    }

    /// Appends what was heard, while this pod holds the lease, until `stop`.
    pub async fn append(self: Arc<Self>, stop: CancellationToken) {
        let mut holding = self.holding();
        while !stop.is_cancelled() {
            let token = *holding.borrow_and_update();
            let next = token.and_then(|token| Some((token, self.heard.lock().take_next()?)));
            let Some((token, taken)) = next else {
                tokio::select! {
                    () = self.wake.notified() => {}
                    _ = holding.changed() => {}
                    () = stop.cancelled() => {}
                }
                continue;
            };
            let HeardMessage { channel, payload, heard_at } = &taken.message;
            let Parsed::Events(events) = parse(*channel, payload, *heard_at) else {
                // Only what brings events is kept.
                self.heard.lock().discard();
                continue;
            };
            let message = Message {
                lease: token,
                heard: Some(HeardOnce { number: taken.number, digest: taken.digest }),
                from_mirror: channel.is_mirror(),
            };
            let append = self.gate.append(Append { request: None, events, message: Some(message) });
            let result = Context::via(Way::Channel(channel.name()), append).await;
            let result = result.map_err(|refused| match refused {
                Refused::Log(error) => error,
                // Another pod appends it.
                Refused::Draining => AppendError::Fenced,
            });
            self.heard.lock().finish(&result);
            match result {
                Ok(_) | Err(AppendError::KeyReused) => {}
                Err(AppendError::Fenced) => self.lose(token),
                Err(AppendError::Overloaded { .. } | AppendError::Unavailable { .. }) => {
                    sleep(Self::RETRY).await
                }
            }
        }
    }
}
