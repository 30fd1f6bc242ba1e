//! How long the work on one request may go on.

use std::{
    cell::Cell,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::yield_now,
    time::{Duration, Instant},
};

use crate::authz;

use super::reply::{Code, Refusal};

/// How long work elsewhere keeps its core from whoever waits for it. Some kernels take a core from a
/// thread at the next tick of the clock alone, up to 10 ms later, however urgent the other is.
const TURN: Duration = Duration::from_micros(50);

thread_local! {
    /// When others had their turn on the core of this thread.
    static OFFERED: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Work ends when its time is up or nobody waits for the answer. Whoever works through many
/// items asks before each.
#[derive(Clone, Debug)]
pub(super) struct Deadline {
    at: Instant,
    abandoned: Option<Arc<AtomicBool>>,
}

/// Held by whoever waits for the answer.
#[derive(Debug)]
pub(super) struct Waiting(Arc<AtomicBool>);

impl Deadline {
    /// A deadline this far ahead, for work that its caller does itself.
    pub(super) fn after(budget: Duration) -> Self {
        let now = Instant::now();
        Self {
            // A budget beyond what the clock can say is none: a day is as good.
            at: now
                .checked_add(budget)
                .unwrap_or(now + Duration::from_secs(86_400)),
            abandoned: None,
        }
    }

    /// The same deadline for work done elsewhere: it also ends when what waits is dropped.
    pub(super) fn awaited(self) -> (Self, Waiting) {
        let abandoned = Arc::new(AtomicBool::new(false));
        let awaited = Self {
            abandoned: Some(Arc::clone(&abandoned)),
            ..self
        };
        (awaited, Waiting(abandoned))
    }

    /// When the time is up.
    pub(super) fn at(&self) -> Instant {
        self.at
    }

    /// Whether to go on. Work elsewhere lets others have the core now and then.
    ///
    /// # Errors
    /// The refusal of the whole request: part of an answer is none.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        let now = Instant::now();
        let abandoned = self.abandoned.as_ref();
        if abandoned.is_some_and(|it| it.load(Ordering::Relaxed)) || now >= self.at {
            return Err(out_of_time());
        }
        if abandoned.is_some() {
            offer_core(now);
        }
        Ok(())
    }
}

/// Does long work on a thread of its own: others have the core now and then, also between the steps of
/// one item.
pub(super) fn taking_turns<T>(work: impl FnOnce() -> T) -> T {
    authz::telling(|| offer_core(Instant::now()), work)
}

/// Lets others have the core if they had no turn for a while.
fn offer_core(now: Instant) {
    let is_due = |since: Instant| now.duration_since(since) >= TURN;
    if OFFERED.get().is_none_or(is_due) {
        yield_now();
        OFFERED.set(Some(Instant::now()));
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// 503: more work than we do for one request, or too much of others' before it.
pub(super) fn out_of_time() -> Refusal {
    Refusal::unavailable(
        Code::Overloaded,
        "the request could not be worked through in time",
    )
}

#[cfg(test)]
mod tests {
    use hyper::StatusCode;

    use super::*;
    use crate::{
        api::{offload::Offload, reply},
        authz::Json,
    };

    #[tokio::test]
    async fn long_work_offers_its_core_though_it_does_not_look_at_its_deadline() {
        let job = |_: &Deadline| {
            let text = format!("[{}]", vec!["1"; 10_000].join(","));
            Json::parse(text.as_bytes(), 1).unwrap();
            assert!(OFFERED.get().is_some());
            Ok(reply::json_text(StatusCode::OK, "{}"))
        };
        let deadline = Deadline::after(Duration::from_secs(60));
        let answered = Offload::new().run(deadline, job).await;
        assert!(answered.is_ok());
    }
}
