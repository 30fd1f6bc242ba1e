//! What must not happen, and did.

use std::sync::{
    Mutex,
    atomic::{AtomicU64, Ordering},
};

/// How much is told in full: the first is what matters.
const TOLD: usize = 10;

pub(crate) struct Trouble {
    seed: u64,
    /// The edit that is being made.
    step: Mutex<(u64, &'static str)>,
    told: Mutex<Vec<String>>,
    count: AtomicU64,
}

impl Trouble {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            step: Mutex::new((0, "start")),
            told: Mutex::default(),
            count: AtomicU64::new(0),
        }
    }

    pub(crate) fn at_step(&self, number: u64, fault: &'static str) {
        *self.step.lock().unwrap() = (number, fault);
    }

    pub(crate) fn tell(&self, what: &str) {
        self.count.fetch_add(1, Ordering::SeqCst);
        let (step, fault) = *self.step.lock().unwrap();
        let mut told = self.told.lock().unwrap();
        if told.len() < TOLD {
            let text = format!("seed {}, step {step} ({fault}): {what}", self.seed);
            eprintln!("{text}\n");
            told.push(text);
        }
    }

    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::SeqCst)
    }

    /// Enough is known to stop.
    pub(crate) fn is_plenty(&self) -> bool {
        self.count() >= TOLD as u64
    }
}
