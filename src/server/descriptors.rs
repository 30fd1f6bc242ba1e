//! How many connections fit under the limit of open files, and who gets which part of them.
//!
//! A connection is a file descriptor. Whoever opens more than there are must not take those that
//! sources, certificates and the other listener need.

use std::num::NonZeroUsize;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::info;

/// Descriptors that are no connections: sockets that listen, those that wait for a place, the
/// watcher, and files while they are read; with room for what libraries open.
const RESERVE: u64 = 128;
/// What the runtime of each thread that answers opens: its event queue twice, a way to wake it, and
/// the pipe that signals come through.
const PER_THREAD: u64 = 4;
/// The admin listener has a few probes, scrapes and people.
const ADMIN_CONNECTIONS: usize = 1000;

/// Most connections of each listener, so that neither takes from the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places {
    /// Of the decisions listener: three quarters of what there is, and at most what is wanted.
    pub decisions: usize,
    /// Of the admin listener: a quarter, and at most 1,000.
    pub admin: usize,
}

impl Places {
    /// Raises the limit of open files as far as the system lets us, and shares what it allows beside
    /// so many threads that answer; decisions get `wanted` at most.
    pub fn claim(threads: NonZeroUsize, wanted: NonZeroUsize) -> Self {
        let descriptors = raise();
        let threads = u64::try_from(threads.get()).unwrap_or(u64::MAX);
        let places = Self::within(descriptors, threads, wanted.get());
        if places != Self::within(None, threads, wanted.get()) {
            let Self { decisions, admin } = places;
            info!(
                descriptors,
                decisions,
                admin,
                "the limit of open files allows {decisions} connections to decisions and {admin} \
                 to admin"
            );
        }
        places
    }

    /// Shares a limit of open files; `None` is no limit.
    fn within(descriptors: Option<u64>, threads: u64, wanted: usize) -> Self {
        let reserve = RESERVE.saturating_add(PER_THREAD.saturating_mul(threads));
        let left = descriptors.map_or(u64::MAX, |all| all - reserve.min(all / 2));
        let most = |share: u64, most: usize| {
            let share = usize::try_from(share).unwrap_or(usize::MAX);
            share.clamp(1, most)
        };
        Self {
            decisions: most(left - left / 4, wanted),
            admin: most(left / 4, ADMIN_CONNECTIONS),
        }
    }
}

/// The limit of open files, as high as we may set it. The usual soft limit of 1,024 is for
/// programs that use `select`.
fn raise() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        // Sandboxes may forbid it; then what we have is what there is.
        Err(_) => limit.current,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_the_other_listener_keep_their_part_of_any_limit() {
        let check = |descriptors, decisions, admin| {
            let places = Places { decisions, admin };
            let shared = Places::within(descriptors, 0, 10_000);
            assert_eq!(shared, places, "{descriptors:?}");
        };
        check(None, 10_000, 1000);
        check(Some(u64::MAX), 10_000, 1000);
        check(Some(1 << 20), 10_000, 1000);
        check(Some(4096), 2976, 992);
        check(Some(1024), 672, 224);
        check(Some(256), 96, 32);
        // Below the reserve, half of it is for files.
        check(Some(128), 48, 16);
        check(Some(16), 6, 2);
        check(Some(0), 1, 1);
        // 256 of 1,024 are for 64 runtimes.
        let shared = |descriptors, wanted| {
            let places = Places::within(descriptors, 64, wanted);
            (places.decisions, places.admin)
        };
        assert_eq!(shared(Some(1024), 10_000), (480, 160));
        assert_eq!(shared(Some(1024), 100), (100, 160));
        assert_eq!(shared(None, 20_000), (20_000, 1000));
    }
}
