//! Whether events come at all. A folder can be watched without an error on a file system that
//! never says anything, or by a watcher that nobody wakes; a poll that finds what no event
//! announced tells.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// How late an event may be: the poll may have looked before the watcher's thread had its turn.
const LATE: Duration = Duration::from_secs(1);

/// Counts what was heard, and remembers what was not.
#[derive(Debug, Default)]
pub(super) struct Hearing {
    heard: Arc<AtomicU64>,
    /// How many events had been heard at the last look.
    before: u64,
    /// When a change was found that none had announced, and none has come since.
    unannounced: Option<Instant>,
    deaf: bool,
}

impl Hearing {
    /// What counts each event that concerns us.
    pub(super) fn ear(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.heard)
    }

    /// A look at the sources, which found a change that an event should have announced, or not.
    /// Returns whether the watcher turns out to be deaf.
    pub(super) fn look(&mut self, changed: bool, now: Instant) -> bool {
        let heard = self.heard.load(Ordering::Acquire);
        let silent = heard == self.before;
        self.before = heard;
        if !silent {
            (self.unannounced, self.deaf) = (None, false);
        } else if changed && self.unannounced.is_none() {
            self.unannounced = Some(now);
        }
        let late = |at| now.saturating_duration_since(at) >= LATE;
        let newly = !self.deaf && self.unannounced.is_some_and(late);
        self.deaf |= newly;
        newly
    }

    /// Whether it is to be believed that a watcher that seems to work does.
    pub(super) fn is_deaf(&self) -> bool {
        self.deaf && self.heard.load(Ordering::Acquire) == self.before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks one after the other: (milliseconds, events since the last one, a change was found,
    /// it turns out to be deaf).
    #[track_caller]
    fn check(looks: &[(u64, u64, bool, bool)]) -> Hearing {
        let (mut hearing, start) = (Hearing::default(), Instant::now());
        for (at, events, changed, expected) in looks {
            hearing.ear().fetch_add(*events, Ordering::Release);
            let now = start + Duration::from_millis(*at);
            assert_eq!(hearing.look(*changed, now), *expected, "at {at} ms");
        }
        hearing
    }

    #[test]
    fn a_change_that_no_event_announces_in_time_tells_once() {
        check(&[(0, 0, false, false), (5000, 0, false, false)]);
        // Announced before the look, or late, or never.
        check(&[(0, 1, true, false), (2000, 0, false, false)]);
        check(&[
            (0, 0, true, false),
            (10, 1, false, false),
            (2000, 0, false, false),
        ]);
        let deaf = [
            (0, 0, true, false),
            (10, 0, true, false),
            (1000, 0, false, true),
        ];
        let hearing = check(&deaf);
        assert!(hearing.is_deaf());
        hearing.ear().fetch_add(1, Ordering::Release);
        assert!(!hearing.is_deaf());
        check(&[&deaf[..], &[(2000, 0, true, false), (3000, 1, true, false)]].concat());
        check(
            &[
                &deaf[..],
                &[
                    (2000, 1, false, false),
                    (3000, 0, true, false),
                    (4000, 0, false, true),
                ],
            ]
            .concat(),
        );
    }
}
