//! How long a connection may keep us waiting for a request.
//!
//! Hyper makes a timer each time it begins to wait for a head, and puts it away when the head is
//! there: that is two locks a request for something that hardly ever happens. [`HeadTimer`] notes
//! instead until when hyper waits, and one timer for the whole connection, [`Patience::ends`],
//! looks at that note when the first head of all would be late, and after that whenever the one it
//! saw would be.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use hyper::rt::{Sleep, Timer};
use tokio::time::sleep_until;

/// What stands for "hyper waits for no head".
const NEVER: u64 = u64::MAX;

/// What hyper waits for on one connection.
///
/// INVARIANT: hyper waits `header_timeout` from when it begins to wait, so that no head that it
/// begins to wait for later is late earlier.
#[derive(Debug)]
pub(super) struct Patience {
    began: Instant,
    /// When the head is late that hyper waits for, in microseconds since the connection began.
    until: AtomicU64,
    /// The head is late.
    over: AtomicBool,
    /// A head has come.
    asked: AtomicBool,
}

/// Why patience ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// A head is late; hyper sees it when it is polled next.
    Late,
    /// Nothing was asked at all.
    Silent,
}

impl Patience {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            began: Instant::now(),
            until: AtomicU64::new(NEVER),
            over: AtomicBool::new(false),
            asked: AtomicBool::new(false),
        })
    }

    /// A head is there.
    pub(super) fn asked(&self) {
        self.asked.store(true, Ordering::Relaxed);
    }

    /// Waits until the first head, or a later one, takes too long.
    pub(super) async fn ends(&self, first_request: Duration, header: Duration) -> Ended {
        tokio::select! {
            biased;
            () = self.is_late(header) => Ended::Late,
            () = self.is_silent(first_request) => Ended::Silent,
        }
    }

    async fn is_silent(&self, longest: Duration) {
        tokio::time::sleep(longest).await;
        if self.asked.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    }

    async fn is_late(&self, header_timeout: Duration) {
        let mut look = self.began + header_timeout;
        loop {
            sleep_until(look.into()).await;
            let now = Instant::now();
            look = match self.until() {
                Some(until) if until <= now => break,
                Some(until) => until,
                None => now + header_timeout,
            };
        }
        self.over.store(true, Ordering::Relaxed);
    }

    fn until(&self) -> Option<Instant> {
        let until = self.until.load(Ordering::Relaxed);
        (until != NEVER).then(|| self.began + Duration::from_micros(until))
    }

    fn wait_until(&self, deadline: Instant) {
        let until = deadline.saturating_duration_since(self.began).as_micros();
        let until = u64::try_from(until).unwrap_or(NEVER);
        self.until.store(until, Ordering::Relaxed);
    }
}

/// Hyper's timer for one connection, which it uses for heads and nothing else.
#[derive(Clone, Debug)]
pub(super) struct HeadTimer(pub(super) Arc<Patience>);

impl Timer for HeadTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        self.0.wait_until(deadline);
        Box::pin(Head(Arc::clone(&self.0)))
    }

    fn reset(&self, _: &mut Pin<Box<dyn Sleep>>, deadline: Instant) {
        self.0.wait_until(deadline);
    }
}

/// Ready when the head is late that hyper waits for. Whoever polls this polls [`Patience::ends`]
/// before it, in the same task, and is woken by that.
struct Head(Arc<Patience>);

impl Sleep for Head {}

impl Future for Head {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if self.0.over.load(Ordering::Relaxed) {
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

impl Drop for Head {
    fn drop(&mut self) {
        self.0.until.store(NEVER, Ordering::Relaxed);
    }
}
