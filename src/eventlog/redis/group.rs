//! [`Line`]: requests that wait while calls are under way leave together, as one call (group commit). Knows neither Redis nor
//! what a request says. It joins nothing on a timer: while nothing is under way, a request leaves at once.

use std::fmt;

use tokio::sync::{
    Mutex,
    mpsc::{self, error::TrySendError},
    oneshot,
};

/// What waits to be asked, and gets an answer of its own.
pub(super) trait Question: Send {
    /// What it is answered with.
    type Answer: Send;

    /// About how large it is.
    fn bytes(&self) -> usize;
}

/// Where requests wait.
pub(super) struct Line<Q: Question> {
    end: mpsc::Sender<Waiting<Q>>,
    front: Mutex<Front<Q>>,
}

struct Waiting<Q: Question> {
    question: Q,
    answer: oneshot::Sender<Q::Answer>,
}

struct Front<Q: Question> {
    line: mpsc::Receiver<Waiting<Q>>,
    /// The next one, which was too much for the call before.
    next: Option<Waiting<Q>>,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unanswered {
    /// Too many wait: it was not asked.
    Full,
    /// Nobody asks any more, or whoever did ended: it may have been asked.
    Gone,
}

impl<Q: Question> Line<Q> {
    /// Requests that may wait; as many as a pod has under way at most (`IN_FLIGHT_MAX`), and room for some that nobody waits for.
    const WAITING_MAX: usize = 2_048;
    /// Of one call. A server that runs it does nothing else meanwhile: this is about 200 events, two milliseconds of it. A
    /// request that is larger goes alone.
    const CALL_BYTES_MAX: usize = 64 * 1024;

    pub(super) fn new() -> Self {
        let (end, line) = mpsc::channel(Self::WAITING_MAX);
        Self { end, front: Mutex::new(Front { line, next: None }) }
    }

    /// Waits for the answer. Dropped in time, it is not asked.
    pub(super) async fn ask(&self, question: Q) -> Result<Q::Answer, Unanswered> {
        let (answer, answered) = oneshot::channel();
        self.end.try_send(Waiting { question, answer }).map_err(|refused| match refused {
            TrySendError::Full(_) => Unanswered::Full,
            TrySendError::Closed(_) => Unanswered::Gone,
        })?;
        answered.await.map_err(|_| Unanswered::Gone)
    }

    /// Asks for whoever waits, one call after the other, for ever. As many calls are under way at once as tasks run this.
    /// `call` answers each question in its place.
    pub(super) async fn serve<C>(&self, call: impl Fn(Vec<Q>) -> C)
    where
        C: Future<Output = Vec<Q::Answer>>,
    {
        loop {
            let (questions, answers): (Vec<_>, Vec<_>) = self.take().await.into_iter().unzip();
            for (waiting, answer) in answers.into_iter().zip(call(questions).await) {
                // Whoever has given up meanwhile needs none.
                let _given_up = oneshot::Sender::send(waiting, answer);
            }
        }
    }

    /// Who waits, in their order; at least one. Cancel safe.
    async fn take(&self) -> Vec<(Q, oneshot::Sender<Q::Answer>)> {
        let mut front = self.front.lock().await;
        let (mut taken, mut bytes) = (Vec::new(), 0);
        while let Some(Waiting { question, answer }) = front.next(taken.is_empty()).await {
            if answer.is_closed() {
                continue;
            }
            bytes += question.bytes();
            if bytes > Self::CALL_BYTES_MAX && !taken.is_empty() {
                front.next = Some(Waiting { question, answer });
                break;
            }
            taken.push((question, answer));
        }
        taken
    }
}

impl<Q: Question> Front<Q> {
    /// `None`: nobody waits, and the caller does not either.
    async fn next(&mut self, wait: bool) -> Option<Waiting<Q>> {
        match self.next.take() {
            // The line holds its own end, so it never comes to it.
            None if wait => self.line.recv().await,
            None => self.line.try_recv().ok(),
            next => next,
        }
    }
}

impl<Q: Question> fmt::Debug for Line<Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").field("free", &self.end.capacity()).finish_non_exhaustive()
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
    struct Asked(&'static str, usize);

    impl Question for Asked {
        type Answer = &'static str;

        fn bytes(&self) -> usize {
            self.1
        }
    }

    const SMALL: usize = 100;
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
                    let names: Vec<_> = asked.into_iter().map(|Asked(name, _)| name).collect();
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
        async fn ask(&self, name: &'static str, bytes: usize) -> Answered {
            let (line, (told, answered)) = (Arc::clone(&self.line), oneshot::channel());
            self.tasks.spawn(async move {
                let mut told = told;
                tokio::select! {
                    answer = line.ask(Asked(name, bytes)) => { let _ = told.send(answer); }
                    () = told.closed() => {}
                }
            });
            yield_now().await;
            answered
        }
    }

    type Answered = oneshot::Receiver<Result<&'static str, Unanswered>>;

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
    async fn one_more_than_may_wait_is_refused() {
        let world = world(0);
        let mut waiting = Vec::new();
        for _ in 0..Line::<Asked>::WAITING_MAX {
            waiting.push(world.ask("a", SMALL).await);
        }
        assert_eq!(world.line.ask(Asked("b", SMALL)).await, Err(Unanswered::Full));
        assert!(timeout(CALL, waiting.remove(0)).await.is_err(), "the others go on waiting");
    }

    #[tokio::test(start_paused = true)]
    async fn where_the_one_who_asks_ends_nobody_waits_for_an_answer() {
        let world = world(0);
        let asked = world.ask("a", SMALL).await;
        let serving = world.line.serve(|asked| async move {
            sleep(CALL).await;
            asked.into_iter().map(|Asked(name, _)| name).collect()
        });
        assert!(timeout(CALL / 2, serving).await.is_err());
        assert_eq!(asked.await.unwrap(), Err(Unanswered::Gone));
    }
}
