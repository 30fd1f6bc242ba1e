//! Work that would keep a request thread for longer than half a millisecond.

use std::{num::NonZero, sync::Arc, thread::available_parallelism};

use tokio::{sync::Semaphore, task::spawn_blocking};

use super::reply::{Code, Refusal, Reply};

/// Longest body that is looked at on a request thread: parsing 16 KiB takes about 50 µs.
pub(super) const INLINE_BODY_BYTES: usize = 16 << 10;
/// Most queries that are decided on a request thread: 64 at a few microseconds each.
pub(super) const INLINE_QUERIES: usize = 64;
/// How many long jobs may wait for each core. A full queue is about half a second of work;
/// a caller that would wait longer is better told to come again.
const WAITING_PER_CORE: usize = 16;

/// A bounded queue in front of the threads for blocking work.
#[derive(Clone, Debug)]
pub(super) struct Offload {
    /// Held by jobs that run.
    cores: Arc<Semaphore>,
    /// Held by jobs that wait or run.
    places: Arc<Semaphore>,
}

impl Offload {
    pub(super) fn new() -> Self {
        Self::with(available_parallelism().map_or(1, NonZero::get))
    }

    fn with(cores: usize) -> Self {
        Self {
            cores: Arc::new(Semaphore::new(cores)),
            places: Arc::new(Semaphore::new(cores * (WAITING_PER_CORE + 1))),
        }
    }

    /// Runs the job elsewhere, or sheds it if too many wait.
    pub(super) async fn run<F>(&self, job: F) -> Result<Reply, Refusal>
    where
        F: FnOnce() -> Result<Reply, Refusal> + Send + 'static,
    {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            return Err(Refusal::unavailable(
                Code::Overloaded,
                "too many large requests wait already",
            ));
        };
        let Ok(core) = Arc::clone(&self.cores).acquire_owned().await else {
            return Err(Refusal::internal());
        };
        let span = tracing::Span::current();
        // The job holds its permits itself: it goes on when the caller hangs up.
        let done = spawn_blocking(move || {
            let answered = span.in_scope(job);
            drop((place, core));
            answered
        });
        done.await.unwrap_or_else(|error| {
            tracing::error!(%error, "a large request failed: {error}");
            Err(Refusal::internal())
        })
    }
}

#[cfg(test)]
mod tests {
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

    #[tokio::test]
    async fn a_job_that_panics_is_a_500_and_gives_its_place_back() {
        let offload = Offload::with(1);
        for _ in 0..2 * (WAITING_PER_CORE + 1) {
            let answered = offload.run(|| panic!("on purpose")).await;
            assert_eq!(status(&answered), StatusCode::INTERNAL_SERVER_ERROR);
        }
    }

    #[tokio::test]
    async fn what_finds_no_place_is_shed() {
        let offload = Offload::with(1);
        let (open, gate) = std::sync::mpsc::channel::<()>();
        let mut waiting = JoinSet::new();
        let mut gate = Some(gate);
        for _ in 0..=WAITING_PER_CORE {
            let (offload, gate) = (offload.clone(), gate.take());
            waiting.spawn(async move {
                offload
                    .run(move || {
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
        let shed = offload.run(|| Err(Refusal::internal())).await;
        assert_eq!(status(&shed), StatusCode::SERVICE_UNAVAILABLE);
        drop(open);
        while let Some(answered) = waiting.join_next().await {
            assert_eq!(status(&answered.unwrap()), StatusCode::OK);
        }
        assert_eq!(offload.places.available_permits(), WAITING_PER_CORE + 1);
    }
}
