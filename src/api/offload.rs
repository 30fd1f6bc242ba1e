//! Work that would keep a request thread for longer than about half a millisecond.

use std::{num::NonZero, sync::Arc, thread::available_parallelism};

use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout_at};

use super::{
    deadline::{self, Deadline},
    reply::{Code, Refusal, Reply},
};

/// Longest body that is looked at on a request thread: to read 16 KiB takes up to 0.4 ms where it is
/// all numbers and brackets, and 0.05 ms where it is text.
pub(super) const INLINE_BODY_BYTES: usize = 16 << 10;
/// Most queries that are decided on a request thread: a decision takes a microsecond or two, but up
/// to 15 where Cedar has to be asked, so these take half a millisecond at worst.
const INLINE_QUERIES: usize = 32;
/// Most bytes that the queries of a body are read from on a request thread. Each may use the
/// whole body, as the items of a batch use what they share, at 3 µs for each KiB of text and up to
/// 60 for brackets that Cedar is told of: so this is 0.2 ms, and 4 at worst, where 32 that share
/// 16 KiB would be eight times that. Twenty short questions are below it.
const INLINE_READ_BYTES: usize = 64 << 10;
/// How many long jobs may wait for each core. A batch of the largest size takes about 60 ms, so
/// a full queue of them is about a second; a caller that would wait longer is better told to
/// come again. Searches may take longer: of a queue of them, those whose deadline comes first are
/// told so then.
const WAITING_PER_CORE: usize = 16;

fn cores() -> usize {
    available_parallelism().map_or(1, NonZero::get)
}

/// How many queries of a body of this length may be decided on a request thread.
pub(super) fn inline_queries(body_bytes: usize) -> usize {
    if body_bytes > INLINE_BODY_BYTES {
        return 0;
    }
    INLINE_QUERIES.min(INLINE_READ_BYTES / body_bytes.max(1))
}

/// A bounded queue in front of the threads for blocking work.
#[derive(Clone, Debug)]
pub(super) struct Offload {
    /// Held by jobs that run.
    cores: Arc<Semaphore>,
    /// Held by jobs that wait or run.
    places: Arc<Semaphore>,
}

impl Offload {
    /// One job on each core but one, which is for short questions: a core that is not idle is given
    /// away at the next tick of its clock, and a tick is as long as many answers.
    pub(super) fn new() -> Self {
        Self::with(cores().saturating_sub(1).max(1))
    }

    /// One job on every second core, for jobs that take seconds: what else there is to do gets
    /// the others.
    pub(super) fn of_half_the_cores() -> Self {
        Self::with((cores() / 2).max(1))
    }

    fn with(cores: usize) -> Self {
        Self {
            cores: Arc::new(Semaphore::new(cores)),
            places: Arc::new(Semaphore::new(cores * (WAITING_PER_CORE + 1))),
        }
    }

    /// Runs the job elsewhere, or sheds it if too many wait or its turn does not come in time.
    ///
    /// The job should look at the deadline it is given: it is over once nobody awaits this.
    pub(super) async fn run<F>(&self, deadline: Deadline, job: F) -> Result<Reply, Refusal>
    where
        F: FnOnce(&Deadline) -> Result<Reply, Refusal> + Send + 'static,
    {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            return Err(Refusal::unavailable(
                Code::Overloaded,
                "too many large requests wait already",
            ));
        };
        let turn = Arc::clone(&self.cores).acquire_owned();
        let Ok(turn) = timeout_at(deadline.at().into(), turn).await else {
            return Err(deadline::out_of_time());
        };
        let Ok(core) = turn else {
            return Err(Refusal::internal());
        };
        let span = tracing::Span::current();
        let until = deadline.at();
        let (deadline, _waiting) = deadline.awaited();
        // The job holds its permits itself: when the caller hangs up, it goes on to where it
        // next looks at its deadline.
        let done = spawn_blocking(move || {
            let answered = span.in_scope(|| deadline::taking_turns(|| job(&deadline)));
            drop((place, core));
            answered
        });
        // Where no core is left for long work, a job may not get to look at its deadline at all.
        let Ok(done) = timeout_at(until.into(), done).await else {
            return Err(deadline::out_of_time());
        };
        done.unwrap_or_else(|error| {
            tracing::error!(%error, "a large request failed: {error}");
            Err(Refusal::internal())
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, time::Duration};

    use hyper::StatusCode;
    use tokio::task::JoinSet;

    use super::*;
    use crate::api::reply;

    fn status(answered: &Result<Reply, Refusal>) -> StatusCode {
        match answered {
            Ok(reply) => reply.status(),
            Err(refusal) => refusal.status,
        }
    }

    /// Later than any of these tests waits.
    fn someday() -> Deadline {
        Deadline::after(Duration::from_secs(3600))
    }

    #[test]
    fn what_is_decided_inline_depends_on_what_has_to_be_read() {
        assert_eq!(inline_queries(0), 32);
        assert_eq!(inline_queries(2 << 10), 32);
        assert_eq!(inline_queries(8 << 10), 8);
        assert_eq!(inline_queries(INLINE_BODY_BYTES), 4);
        assert_eq!(inline_queries(INLINE_BODY_BYTES + 1), 0);
    }

    #[tokio::test]
    async fn a_caller_is_told_in_time_though_the_job_does_not_look() {
        let offload = Offload::with(1);
        let (go, gone) = mpsc::channel::<()>();
        let job = move |_: &Deadline| {
            let _ = gone.recv();
            Err(Refusal::internal())
        };
        let deadline = Deadline::after(Duration::from_millis(20));
        let told = offload.run(deadline, job).await;
        assert_eq!(status(&told), StatusCode::SERVICE_UNAVAILABLE);
        drop(go);
    }

    #[tokio::test]
    async fn a_job_is_told_when_nobody_waits_any_more() {
        let offload = Offload::with(1);
        let (began, begin) = mpsc::channel();
        let (ended, end) = mpsc::channel();
        let waiting = tokio::spawn({
            let offload = offload.clone();
            async move {
                let job = move |deadline: &Deadline| {
                    began.send(()).unwrap();
                    while deadline.check().is_ok() {
                        std::thread::yield_now();
                    }
                    ended.send(()).unwrap();
                    Err(Refusal::internal())
                };
                offload.run(someday(), job).await
            }
        });
        let of_thread = |heard: mpsc::Receiver<()>| {
            spawn_blocking(move || heard.recv_timeout(Duration::from_secs(20)))
        };
        of_thread(begin).await.unwrap().unwrap();
        waiting.abort();
        of_thread(end).await.unwrap().unwrap();
        // Its core is free for the next.
        let next = |_: &Deadline| Ok(reply::json_text(StatusCode::OK, "{}"));
        assert_eq!(status(&offload.run(someday(), next).await), StatusCode::OK);
    }

    #[tokio::test]
    async fn whoever_waits_too_long_for_a_turn_is_told_to_come_again() {
        let offload = Offload::with(1);
        let held = Arc::clone(&offload.cores).acquire_owned().await.unwrap();
        let soon = Deadline::after(Duration::from_millis(1));
        let shed = offload.run(soon, |_| panic!("its turn never comes")).await;
        assert_eq!(status(&shed), StatusCode::SERVICE_UNAVAILABLE);
        drop(held);
        assert_eq!(offload.places.available_permits(), WAITING_PER_CORE + 1);
    }

    #[tokio::test]
    async fn a_job_that_panics_is_a_500_and_gives_its_place_back() {
        let offload = Offload::with(1);
        for _ in 0..2 * (WAITING_PER_CORE + 1) {
            let answered = offload.run(someday(), |_| panic!("on purpose")).await;
            assert_eq!(status(&answered), StatusCode::INTERNAL_SERVER_ERROR);
        }
    }

    #[tokio::test]
    async fn what_finds_no_place_is_shed() {
        let offload = Offload::with(1);
        let (open, gate) = mpsc::channel::<()>();
        let mut waiting = JoinSet::new();
        let mut gate = Some(gate);
        for _ in 0..=WAITING_PER_CORE {
            let (offload, gate) = (offload.clone(), gate.take());
            waiting.spawn(async move {
                offload
                    .run(someday(), move |_| {
                        // The first job waits until the channel is closed.
                        let _ = gate.map(|gate| gate.recv());
                        Ok(reply::json_text(StatusCode::OK, "{}"))
                    })
                    .await
            });
        }
        while offload.places.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let shed = offload.run(someday(), |_| Err(Refusal::internal())).await;
        assert_eq!(status(&shed), StatusCode::SERVICE_UNAVAILABLE);
        drop(open);
        while let Some(answered) = waiting.join_next().await {
            assert_eq!(status(&answered.unwrap()), StatusCode::OK);
        }
        assert_eq!(offload.places.available_permits(), WAITING_PER_CORE + 1);
    }
}
