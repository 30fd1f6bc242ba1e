//! Callers that send many requests at once have their answers a few at a time.

use std::{
    future::poll_fn,
    pin::pin,
    sync::atomic::{AtomicUsize, Ordering},
    task::{Context, Poll},
};

use tokio::task::yield_now;

/// Requests of one connection that are answered in a row; then the others on the thread have their
/// turn. By itself hyper would answer sixteen in a row.
const MOST_IN_TURN: usize = 4;

/// Counts the requests that a connection began in this turn.
#[derive(Debug, Default)]
pub(super) struct Turns(AtomicUsize);

impl Turns {
    /// A place in this turn for a request, or in the next one.
    pub(super) async fn place(&self) {
        poll_fn(|cx| {
            if self.0.load(Ordering::Relaxed) >= MOST_IN_TURN {
                // To begin the next turn.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            self.0.fetch_add(1, Ordering::Relaxed);
            Poll::Ready(())
        })
        .await;
    }

    /// Goes on with a turn. Once it is used up the next one begins, which waits until the others had
    /// theirs, and until what came in meanwhile was looked for.
    ///
    /// It is asked before each poll of hyper: a request that has read its body wakes the task at once,
    /// and tokio would run it sixty times before it looks for what came in.
    pub(super) fn poll_begin(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.0.load(Ordering::Relaxed) < MOST_IN_TURN {
            return Poll::Ready(());
        }
        self.0.store(0, Ordering::Relaxed);
        pin!(yield_now()).poll(cx)
    }

    /// All that the caller sent is read: what it sends next is looked for with what others send.
    pub(super) fn drained(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUESTS: usize = 3 * MOST_IN_TURN;

    /// After how many answers the others had their turn, if so many requests are begun in each poll.
    async fn put_off(in_poll: usize, after_each: impl Fn(&Turns)) -> Vec<usize> {
        let turns = Turns::default();
        let (mut answered, mut put_off) = (0, Vec::new());
        let mut place = Box::pin(turns.place());
        poll_fn(|cx| {
            if turns.poll_begin(cx).is_pending() {
                put_off.push(answered);
                return Poll::Pending;
            }
            for _ in 0..in_poll {
                if place.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                place = Box::pin(turns.place());
                answered += 1;
                after_each(&turns);
                if answered == REQUESTS {
                    return Poll::Ready(());
                }
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        put_off
    }

    #[tokio::test]
    async fn after_a_few_requests_the_others_have_their_turn() {
        let expected = [MOST_IN_TURN, 2 * MOST_IN_TURN];
        for in_poll in [1, 3, MOST_IN_TURN, 16] {
            assert_eq!(put_off(in_poll, |_| {}).await, expected, "{in_poll}");
        }
    }

    #[tokio::test]
    async fn a_caller_that_waits_for_its_answers_is_not_put_off() {
        assert_eq!(put_off(1, Turns::drained).await, [0; 0]);
    }
}
