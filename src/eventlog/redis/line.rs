//! [`Line`]: requests that wait while calls are under way leave together, as one call (group commit). Knows neither Redis nor
//! what a request says. It joins nothing on a timer: while nothing is under way, a request leaves at once.

use std::{fmt, sync::Arc};

use tokio::sync::{
    Mutex, OwnedSemaphorePermit, Semaphore,
    mpsc::{self, error::TrySendError},
    oneshot,
};

/// What waits to be asked, and gets an answer of its own.
pub(super) trait Question: Send {
    /// What it is answered with.
    type Answer: Send;

    /// What it holds and costs, in bytes.
    fn weight_bytes(&self) -> u32;
}

/// Where requests wait.
pub(super) struct Line<Q: Question> {
    end: mpsc::Sender<Waiting<Q>>,
    room: Arc<Semaphore>,
    front: Mutex<Front<Q>>,
}

/// A request in the line.
struct Waiting<Q: Question> {
    question: Q,
    asker: oneshot::Sender<Q::Answer>,
    /// Its part of the line's room, until it leaves.
    _room: OwnedSemaphorePermit,
}

struct Front<Q: Question> {
    line: mpsc::Receiver<Waiting<Q>>,
    /// The next one, which was too much for the call before.
    next: Option<Waiting<Q>>,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unanswered {
    /// Too much waits: it was not asked.
    Full,
    /// Nobody asks any more: it may have been asked.
    Closed,
}

impl<Q: Question> Line<Q> {
    /// Requests that may wait.
    const WAITING_MAX: usize = 4_096;
    /// What they may weigh: four times what may be at work (`ingest/load.rs`), because whoever gives up leaves what they brought
    /// behind until it is their turn.
    const WAITING_BYTES_MAX: u32 = 4 * 1024 * 1024;
    /// Of one call. A server that runs it does nothing else meanwhile. A request that is larger goes alone.
    const CALL_BYTES_MAX: u32 = 64 * 1024;

    pub(super) fn new() -> Self {
        let (end, line) = mpsc::channel(Self::WAITING_MAX);
        let room = Arc::new(Semaphore::new(Self::WAITING_BYTES_MAX as usize));
        Self { end, room, front: Mutex::new(Front { line, next: None }) }
    }

    /// Waits for the answer. Dropped while it waits for its turn, it is not asked.
    pub(super) async fn ask(&self, question: Q) -> Result<Q::Answer, Unanswered> {
        // One that is larger than the line has all of it.
        let weight = question.weight_bytes().min(Self::WAITING_BYTES_MAX);
        let room = Arc::clone(&self.room).try_acquire_many_owned(weight);
        let (asker, answer) = oneshot::channel();
        let waiting = Waiting { question, asker, _room: room.map_err(|_| Unanswered::Full)? };
        self.end.try_send(waiting).map_err(|refused| match refused {
            TrySendError::Full(_) => Unanswered::Full,
            TrySendError::Closed(_) => Unanswered::Closed,
        })?;
        answer.await.map_err(|_| Unanswered::Closed)
    }

    /// Asks for whoever waits, one call after the other, until it is dropped. As many calls are under way at once as tasks do this.
    /// `call` answers each question in its place.
    pub(super) async fn serve<C>(&self, call: impl Fn(Vec<Q>) -> C)
    where
        C: Future<Output = Vec<Q::Answer>>,
    {
        while let Some((questions, askers)) = self.take().await {
            for (asker, answer) in askers.into_iter().zip(call(questions).await) {
                // Whoever has given up meanwhile needs none.
                let _given_up = asker.send(answer);
            }
        }
    }

    /// Ends it for those who wait and for those who come.
    pub(super) async fn close(&self) {
        let mut front = self.front.lock().await;
        front.line.close();
        front.next = None;
        while front.line.try_recv().is_ok() {}
    }

    /// Who waits, in their order, at least one; `None`: the line is closed. Cancel safe.
    async fn take(&self) -> Option<(Vec<Q>, Vec<oneshot::Sender<Q::Answer>>)> {
        let mut front = self.front.lock().await;
        let (mut questions, mut askers, mut weight) = (Vec::new(), Vec::new(), 0);
        while let Some(waiting) = front.next(questions.is_empty()).await {
            if waiting.asker.is_closed() {
                continue;
            }
            weight += waiting.question.weight_bytes();
            if weight > Self::CALL_BYTES_MAX && !questions.is_empty() {
                front.next = Some(waiting);
                break;
            }
            questions.push(waiting.question);
            askers.push(waiting.asker);
        }
        (!questions.is_empty()).then_some((questions, askers))
    }
}

impl<Q: Question> Front<Q> {
    /// `None`: nobody is there, and either the caller does not wait or the line is closed.
    async fn next(&mut self, wait: bool) -> Option<Waiting<Q>> {
        match self.next.take() {
            None if wait => self.line.recv().await,
            None => self.line.try_recv().ok(),
            next => next,
        }
    }
}

impl<Q: Question> fmt::Debug for Line<Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").field("room_bytes", &self.room.available_permits()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use tokio::{
        task::yield_now,
        time::{sleep, timeout},
    };

    use super::*;
    use crate::tasks::Tasks;

    /// So many bytes, under a name.
    #[derive(Debug, Clone, PartialEq)]
    struct Asked(&'static str, u32);

    impl Question for Asked {
        type Answer = &'static str;

        fn weight_bytes(&self) -> u32 {
            self.1
        }
    }

    type Answered = oneshot::Receiver<Result<&'static str, Unanswered>>;

    fn names(asked: Vec<Asked>) -> Vec<&'static str> {
        asked.into_iter().map(|Asked(name, _)| name).collect()
    }

    const SMALL: u32 = 100;
    const CALL: Duration = Duration::from_secs(1);

    /// A line before one who takes a second for each call, answers with the name, and notes what was asked together.
    struct World {
        line: Arc<Line<Asked>>,
        calls: Arc<parking_lot::Mutex<Vec<Vec<&'static str>>>>,
        tasks: Tasks,
    }

    fn world(under_way: usize) -> World {
        let world = World { line: Arc::new(Line::new()), calls: Arc::default(), tasks: Tasks::new() };
        for _ in 0..under_way {
            let (line, calls) = (Arc::clone(&world.line), Arc::clone(&world.calls));
            world.tasks.spawn(async move {
                line.serve(|asked| {
                    let names = names(asked);
                    calls.lock().push(names.clone());
                    async {
                        sleep(CALL).await;
                        names
                    }
                })
                .await;
            });
        }
        world
    }

    impl World {
        /// Somebody asks, and has their place in the line.
        async fn ask(&self, name: &'static str, bytes: u32) -> Answered {
            let (line, (mut told, answered)) = (Arc::clone(&self.line), oneshot::channel());
            self.tasks.spawn(async move {
                tokio::select! {
                    answer = line.ask(Asked(name, bytes)) => { let _ = told.send(answer); }
                    () = told.closed() => {}
                }
            });
            yield_now().await;
            answered
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_for_a_call_leaves_together_and_each_gets_its_own_answer() {
        let world = world(1);
        let first = world.ask("a", SMALL).await;
        yield_now().await;
        let others = [world.ask("b", SMALL).await, world.ask("c", SMALL).await];
        assert_eq!(first.await.unwrap(), Ok("a"));
        for (other, name) in others.into_iter().zip(["b", "c"]) {
            assert_eq!(other.await.unwrap(), Ok(name));
        }
        assert_eq!(*world.calls.lock(), [vec!["a"], vec!["b", "c"]]);
    }

    #[tokio::test(start_paused = true)]
    async fn while_fewer_calls_are_under_way_than_may_be_nobody_waits() {
        let world = world(2);
        let _first = world.ask("a", SMALL).await;
        yield_now().await;
        let _second = world.ask("b", SMALL).await;
        yield_now().await;
        assert_eq!(*world.calls.lock(), [vec!["a"], vec!["b"]]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_too_much_for_a_call_waits_for_the_next_and_the_largest_goes_alone() {
        let (half, most) = (Line::<Asked>::CALL_BYTES_MAX / 2, Line::<Asked>::CALL_BYTES_MAX);
        let world = world(1);
        let mut asked = Vec::new();
        let sizes = [SMALL, half, half, SMALL, 2 * most, SMALL];
        for (name, size) in ["a", "b", "c", "d", "e", "f"].into_iter().zip(sizes) {
            asked.push(world.ask(name, size).await);
            yield_now().await;
        }
        for answer in asked {
            assert!(answer.await.unwrap().is_ok());
        }
        assert_eq!(*world.calls.lock(), [vec!["a"], vec!["b", "c"], vec!["d"], vec!["e"], vec!["f"]]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_gave_up_while_waiting_is_not_asked_for() {
        let world = world(1);
        let _first = world.ask("a", SMALL).await;
        yield_now().await;
        let gives_up = world.ask("b", SMALL).await;
        let stays = world.ask("c", SMALL).await;
        drop(gives_up);
        assert_eq!(stays.await.unwrap(), Ok("c"));
        assert_eq!(*world.calls.lock(), [vec!["a"], vec!["c"]]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_gives_up_while_being_asked_for_takes_nothing_from_the_others() {
        let world = world(1);
        let first = world.ask("a", SMALL).await;
        yield_now().await;
        let (gives_up, stays) = (world.ask("b", SMALL).await, world.ask("c", SMALL).await);
        first.await.unwrap().unwrap();
        sleep(CALL / 2).await;
        drop(gives_up);
        assert_eq!(stays.await.unwrap(), Ok("c"));
    }

    #[tokio::test(start_paused = true)]
    async fn what_finds_no_room_in_the_line_is_refused_until_somebody_leaves_it() {
        let most = Line::<Asked>::WAITING_BYTES_MAX;
        let world = world(0);
        let first = world.ask("a", most).await;
        assert_eq!(world.line.ask(Asked("b", 1)).await, Err(Unanswered::Full));
        drop(first);
        assert_eq!(
            world.line.ask(Asked("b", 1)).await,
            Err(Unanswered::Full),
            "what it brought is still there"
        );
        let serving = world.line.serve(|asked| async move { names(asked) });
        assert!(timeout(CALL, serving).await.is_err());
        assert!(timeout(CALL, world.line.ask(Asked("b", 2 * most))).await.is_err(), "it waits");
    }

    #[tokio::test(start_paused = true)]
    async fn when_it_is_closed_nobody_waits_for_an_answer() {
        let world = world(0);
        let (under_way, waits) = (world.ask("a", SMALL).await, world.ask("b", 2 * SMALL).await);
        let serving = world.line.serve(|asked| async move {
            sleep(CALL).await;
            names(asked)
        });
        assert!(timeout(CALL / 2, serving).await.is_err());
        let comes_later = world.ask("c", SMALL).await;
        world.line.close().await;
        for asked in [under_way, waits, comes_later, world.ask("d", SMALL).await] {
            assert_eq!(asked.await.unwrap(), Err(Unanswered::Closed));
        }
    }
}
