//! The clock that the log of the server and all of its observers share.

use std::{
    sync::Mutex,
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Microseconds since the epoch, as fine as the log tells.
pub(crate) type Micros = u64;

pub(crate) const SECOND: Micros = 1_000_000;

pub(crate) fn now() -> Micros {
    since_epoch(SystemTime::now())
}

pub(crate) fn since_epoch(at: SystemTime) -> Micros {
    let since = at.duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(since.as_micros()).unwrap()
}

/// How late a sleeper may wake on a machine that keeps up.
const LATE: Micros = 50_000;

/// How often whoever watches the machine wakes.
const PULSE: Duration = Duration::from_millis(20);

/// When the machine as a whole stood still, which is not held against the server: when each
/// pause was noticed, and how long it was.
#[derive(Default)]
pub(crate) struct Stalls(Mutex<Vec<(Micros, Micros)>>);

impl Stalls {
    /// Sleeps for a pulse, and notes how much longer it took.
    pub(crate) fn pulse(&self) {
        let started = now();
        thread::sleep(PULSE);
        let took = now() - started;
        let length = took.saturating_sub(u64::try_from(PULSE.as_micros()).unwrap());
        if length > LATE {
            self.0.lock().unwrap().push((now(), length));
        }
    }

    /// How long it stood still after a moment.
    pub(crate) fn since(&self, moment: Micros) -> Micros {
        let stalls = self.0.lock().unwrap();
        let after = stalls.iter().filter(|(at, _)| *at >= moment);
        after.map(|(_, length)| length).sum()
    }
}
