//! A future that seldom has anything to say.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker, ready},
};

/// Stands beside a future that is polled often. To poll a timer or a watch takes a lock, so the
/// one in here is polled when it has called and not each time the task is awake.
pub(super) struct Seldom<F> {
    /// `None` once it is done.
    future: Option<Pin<Box<F>>>,
    bell: Option<(Arc<Bell>, Waker)>,
}

/// Wakes a task, and says that it was this future that did.
struct Bell {
    rung: AtomicBool,
    task: Waker,
}

impl Bell {
    /// A bell that counts as rung: the future does not know yet whom to call.
    fn of(task: &Waker) -> (Arc<Self>, Waker) {
        let bell = Arc::new(Self {
            rung: AtomicBool::new(true),
            task: task.clone(),
        });
        let waker = Waker::from(Arc::clone(&bell));
        (bell, waker)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.store(true, Ordering::SeqCst);
        self.task.wake_by_ref();
    }
}

impl<F: Future> Seldom<F> {
    pub(super) fn new(future: F) -> Self {
        Self {
            future: Some(Box::pin(future)),
            bell: None,
        }
    }

    /// Ready once; pending for ever after that.
    pub(super) fn poll(&mut self, cx: &Context<'_>) -> Poll<F::Output> {
        let Some(future) = &mut self.future else {
            return Poll::Pending;
        };
        // Another task may poll us now than the one that did before.
        self.bell
            .take_if(|(bell, _)| !bell.task.will_wake(cx.waker()));
        let (bell, waker) = self.bell.get_or_insert_with(|| Bell::of(cx.waker()));
        if !bell.rung.load(Ordering::Relaxed) {
            return Poll::Pending;
        }
        bell.rung.store(false, Ordering::SeqCst);
        let output = ready!(future.as_mut().poll(&mut Context::from_waker(waker)));
        self.future = None;
        Poll::Ready(output)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::poll_fn,
        sync::atomic::{AtomicUsize, Ordering},
    };

    use tokio::{sync::oneshot, task::yield_now};

    use super::*;

    #[tokio::test]
    async fn it_is_polled_when_it_has_called() {
        let (call, mut called) = oneshot::channel::<()>();
        let polls = AtomicUsize::new(0);
        let mut seldom = Seldom::new(poll_fn(|cx| {
            polls.fetch_add(1, Ordering::Relaxed);
            Pin::new(&mut called).poll(cx)
        }));
        let mut poll = async || poll_fn(|cx| Poll::Ready(seldom.poll(cx))).await;
        for _ in 0..3 {
            assert!(poll().await.is_pending());
            yield_now().await;
        }
        assert_eq!(polls.load(Ordering::Relaxed), 1);
        call.send(()).unwrap();
        assert_eq!(poll().await, Poll::Ready(Ok(())));
        assert!(poll().await.is_pending());
        assert_eq!(polls.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn it_wakes_whoever_polled_it_last() {
        let (call, called) = oneshot::channel::<()>();
        let mut seldom = Seldom::new(called);
        let _ = seldom.poll(&Context::from_waker(Waker::noop()));
        let waiting = tokio::spawn(async move { poll_fn(|cx| seldom.poll(cx)).await });
        yield_now().await;
        call.send(()).unwrap();
        assert_eq!(waiting.await.unwrap(), Ok(()));
    }
}
