//! Keeps log lines that callers can cause at will few enough to be read.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Lines that may come at once, about one caller each.
const BURST: u32 = 10;

/// One more line each: ten a second are read by nobody, and fill no disk in a night.
const INTERVAL: Duration = Duration::from_millis(100);

/// Between lines about what lasts: the next one says nothing new.
const WHILE_IT_LASTS: Duration = Duration::from_secs(10);

/// A token bucket that counts what it holds back.
#[derive(Debug)]
pub struct Throttle(Mutex<Bucket>);

#[derive(Debug)]
struct Bucket {
    burst: u32,
    interval: Duration,
    lines: u32,
    refilled: Option<Instant>,
    suppressed: u64,
}

impl Throttle {
    /// For what goes on until somebody does something: one line, and one more each ten seconds.
    pub fn lasting() -> Self {
        Self::new(1, WHILE_IT_LASTS)
    }

    fn new(burst: u32, interval: Duration) -> Self {
        Self(Mutex::new(Bucket {
            burst,
            interval,
            lines: burst,
            refilled: None,
            suppressed: 0,
        }))
    }

    /// Whether a line may be written now: how many were not since the last one, if so.
    pub fn take(&self, now: Instant) -> Option<u64> {
        // Counters only: a panic elsewhere leaves nothing half done.
        let bucket = self.0.lock();
        bucket.unwrap_or_else(PoisonError::into_inner).take(now)
    }
}

/// For lines that callers cause one by one: ten at once, and ten a second.
impl Default for Throttle {
    fn default() -> Self {
        Self::new(BURST, INTERVAL)
    }
}

impl Bucket {
    fn take(&mut self, now: Instant) -> Option<u64> {
        let since = *self.refilled.get_or_insert(now);
        let earned = now.saturating_duration_since(since).as_millis() / self.interval.as_millis();
        let earned = u32::try_from(earned).unwrap_or(u32::MAX);
        if earned > 0 {
            self.lines = self.lines.saturating_add(earned).min(self.burst);
            // What is left of an interval counts for the next line, unless there are enough.
            let whole = self
                .interval
                .checked_mul(earned)
                .and_then(|it| since.checked_add(it));
            self.refilled = whole.or(Some(now));
        }
        if self.lines == 0 {
            self.suppressed = self.suppressed.saturating_add(1);
            return None;
        }
        self.lines -= 1;
        Some(std::mem::take(&mut self.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_burst_a_line_comes_with_each_interval_and_tells_what_was_held_back() {
        let throttle = Throttle::default();
        let start = Instant::now();
        let at = |ms| throttle.take(start + Duration::from_millis(ms));
        for _ in 0..BURST {
            assert_eq!(at(0), Some(0));
        }
        for ms in [0, 1, 99] {
            assert_eq!(at(ms), None);
        }
        assert_eq!(at(150), Some(3));
        assert_eq!(at(151), None);
        // Half of the interval had passed before.
        assert_eq!(at(200), Some(1));
        // Silence fills the bucket, but not beyond its size.
        for _ in 0..BURST {
            assert_eq!(at(1_000_000), Some(0));
        }
        assert_eq!(at(1_000_000), None);
    }

    #[test]
    fn what_lasts_is_told_once_in_a_while() {
        let throttle = Throttle::lasting();
        let start = Instant::now();
        let at = |ms| throttle.take(start + Duration::from_millis(ms));
        assert_eq!(at(0), Some(0));
        assert_eq!((at(50), at(9_999)), (None, None));
        assert_eq!(at(10_000), Some(2));
        // Silence earns one line and no more.
        assert_eq!((at(60_000), at(60_050)), (Some(0), None));
    }

    #[test]
    fn a_clock_that_goes_back_is_no_time_at_all() {
        let throttle = Throttle::default();
        let start = Instant::now() + Duration::from_secs(1);
        for _ in 0..BURST {
            assert!(throttle.take(start).is_some());
        }
        let before = start.checked_sub(Duration::from_millis(500)).unwrap();
        assert_eq!(throttle.take(before), None);
    }
}
