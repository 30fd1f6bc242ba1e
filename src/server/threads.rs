//! The threads that answer, each with a runtime of its own.

use std::{
    io,
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    runtime::{Builder, Handle},
    sync::watch,
    task::JoinSet,
};

use super::accept::stopped;

/// How far the threads that answer go before those for long work, as `nice` counts; the same as for
/// the thread that compiles. Further behind, batches would not end at all beside others who leave no
/// core idle.
const NICE: i32 = 5;

/// Where connections are served. A connection stays on its thread, and a thread shares no queue
/// with others: nobody is woken to look for work that one thread does anyway. New connections go
/// to the thread that has the fewest.
#[derive(Clone, Debug)]
pub struct Threads {
    first: Arc<Thread>,
    more: Arc<[Thread]>,
}

#[derive(Debug)]
struct Thread {
    runtime: Handle,
    connections: Arc<AtomicUsize>,
}

/// A place on a thread, kept while its connection is served.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) runtime: Handle,
    connections: Arc<AtomicUsize>,
}

impl Threads {
    /// The runtime that this is called in, and no threads of its own.
    pub fn here() -> Self {
        Self {
            first: Arc::new(Thread::of(Handle::current())),
            more: Arc::default(),
        }
    }

    /// So many threads, which end when told to: `shutdown` becomes `true`, or its sender is gone.
    /// They are threads for blocking work of the runtime that this is called in; what they offload
    /// has `stack_bytes`, and lets them go first. Whoever holds the set hears of one that ends before.
    ///
    /// # Errors
    /// The system's.
    pub fn start(
        count: NonZeroUsize,
        stack_bytes: usize,
        shutdown: &watch::Receiver<bool>,
    ) -> io::Result<(Self, JoinSet<()>)> {
        let mut running = JoinSet::new();
        let mut start = || -> io::Result<Thread> {
            let runtime = Builder::new_current_thread()
                .enable_all()
                .thread_name("palisade")
                .thread_stack_size(stack_bytes)
                .on_thread_start(let_others_go_first)
                .build()?;
            let thread = Thread::of(runtime.handle().clone());
            let mut shutdown = shutdown.clone();
            running.spawn_blocking(move || {
                runtime.block_on(stopped(&mut shutdown));
                // What was offloaded and is awaited by nobody any more is not waited for.
                runtime.shutdown_background();
            });
            Ok(thread)
        };
        let first = Arc::new(start()?);
        let more = (1..count.get()).map(|_| start());
        let threads = Self {
            first,
            more: more.collect::<io::Result<_>>()?,
        };
        Ok((threads, running))
    }

    /// A seat on the thread with the fewest connections.
    pub(super) fn seat(&self) -> Seat {
        let connections = |it: &Thread| it.connections.load(Ordering::Relaxed);
        let mut fewest = &*self.first;
        for thread in self.more.iter() {
            if connections(thread) < connections(fewest) {
                fewest = thread;
            }
        }
        fewest.seat()
    }
}

/// For threads that a runtime makes for blocking work; the one that it runs on is not among them.
fn let_others_go_first() {
    // Where it is forbidden, long work is as urgent as the rest.
    let _ = rustix::process::nice(NICE);
}

impl Thread {
    fn of(runtime: Handle) -> Self {
        Self {
            runtime,
            connections: Arc::default(),
        }
    }

    fn seat(&self) -> Seat {
        self.connections.fetch_add(1, Ordering::Relaxed);
        Seat {
            runtime: self.runtime.clone(),
            connections: Arc::clone(&self.connections),
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STACK_BYTES: usize = 1 << 20;
    const TWO: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1);

    fn connections(threads: &Threads) -> Vec<usize> {
        let all = std::iter::once(&*threads.first).chain(threads.more.iter());
        all.map(|it| it.connections.load(Ordering::Relaxed))
            .collect()
    }

    #[tokio::test]
    async fn a_connection_goes_to_the_thread_with_the_fewest() {
        let (_stop, stopped) = watch::channel(false);
        let (threads, _running) = Threads::start(TWO, STACK_BYTES, &stopped).unwrap();
        let seats = [(); 4].map(|()| threads.seat());
        assert_eq!(connections(&threads), [2, 2]);
        let [first, second, third, fourth] = seats;
        drop((second, fourth));
        assert_eq!(connections(&threads), [2, 0]);
        let next = threads.seat();
        assert_eq!(connections(&threads), [2, 1]);
        drop((first, third, next));
        assert_eq!(connections(&threads), [0, 0]);
    }

    #[tokio::test]
    async fn what_is_seated_runs_on_a_thread_of_its_own_until_told_to_stop() {
        let (stop, stopped) = watch::channel(false);
        let (threads, mut running) = Threads::start(TWO, STACK_BYTES, &stopped).unwrap();
        let seats = [threads.seat(), threads.seat()];
        let mut seen = vec![std::thread::current().id()];
        for seat in &seats {
            let there = seat.runtime.spawn(async { std::thread::current().id() });
            seen.push(there.await.unwrap());
        }
        seen.dedup();
        assert_eq!(seen.len(), 3, "{seen:?}");
        stop.send_replace(true);
        while let Some(ended) = running.join_next().await {
            ended.unwrap();
        }
    }
}
