//! Who may run: cases load the machine, and some do to it what all others would feel.

use std::sync::{Condvar, Mutex, PoisonError};

/// How many cases run at once: each keeps a machine of two cores half busy.
const AT_ONCE: usize = 2;

static RUNNING: Mutex<usize> = Mutex::new(0);
static ENDED: Condvar = Condvar::new();

/// The right to run, until it is dropped.
pub(super) struct Turn {
    places: usize,
}

impl Turn {
    pub(super) fn alone() -> Self {
        Self::take(AT_ONCE)
    }

    pub(super) fn beside_another() -> Self {
        Self::take(1)
    }

    fn take(places: usize) -> Self {
        // Whoever panics while it holds the lock has changed nothing.
        let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        let full = |running: &mut usize| *running + places > AT_ONCE;
        let mut running = ENDED
            .wait_while(running, full)
            .unwrap_or_else(PoisonError::into_inner);
        *running += places;
        Self { places }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *RUNNING.lock().unwrap_or_else(PoisonError::into_inner) -= self.places;
        ENDED.notify_all();
    }
}
