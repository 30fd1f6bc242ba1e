//! Callers that send many requests at once have their answers a few at a time.

use std::{
    pin::pin,
    sync::atomic::{AtomicUsize, Ordering},
    task::{Context, Poll},
};

use tokio::task::yield_now;

/// Requests of one connection that are answered in a row; then the others on the thread have their
/// turn. By itself hyper would answer sixteen, and go on with the next sixteen before anybody looks
/// whether others have asked meanwhile.
const MOST_IN_TURN: usize = 4;

/// Counts the requests that a connection began in this turn.
#[derive(Debug, Default)]
pub(super) struct Turns(AtomicUsize);

impl Turns {
    /// A place in this turn for a request, or in one of the next. Hyper, which polls again and again
    /// within a turn, is put off each time.
    pub(super) async fn place(&self) {
        while self.0.fetch_add(1, Ordering::Relaxed) >= MOST_IN_TURN {
            yield_now().await;
        }
    }

    /// Begins a turn, unless the last one was used up: then that is left to the others. Wakes the task
    /// once they had theirs.
    pub(super) fn poll_begin(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.0.swap(0, Ordering::Relaxed) < MOST_IN_TURN {
            return Poll::Ready(());
        }
        pin!(yield_now()).poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test]
    async fn a_turn_is_a_few_requests_and_the_next_one_is_that_of_others() {
        let turns = Turns::default();
        let mut polls = Vec::new();
        let mut answered = 0;
        // As hyper does it: as long as there are requests, and again when it is put off.
        poll_fn(|cx| {
            if turns.poll_begin(cx).is_pending() {
                polls.push(None);
                return Poll::Pending;
            }
            let before = answered;
            for _ in 0..16 {
                if pin!(turns.place()).poll(cx).is_ready() {
                    answered += 1;
                }
            }
            polls.push(Some(answered - before));
            if answered == 2 * MOST_IN_TURN {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        assert_eq!(polls, [Some(MOST_IN_TURN), None, Some(MOST_IN_TURN)]);
    }
}
