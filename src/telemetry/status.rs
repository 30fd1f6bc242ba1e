//! What `/readyz` and `/v1/status` tell: written by the reloader and the server, read by the admin pages.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use crate::authz::{Finding, Kind};

/// How many reload attempts are remembered: enough for the edits of a busy hour.
const ATTEMPTS: usize = 20;

/// How a reload attempt ended; the `result` and `reason` labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReloadResult {
    /// A new snapshot is in force.
    Applied,
    /// The candidate was refused; the last good one stays.
    Rejected(Kind),
    /// The sources are what is in force.
    Unchanged,
}

/// One look at the sources that was more than "unchanged".
#[derive(Clone, Debug)]
pub struct Attempt {
    /// When it ended.
    pub at: SystemTime,
    /// The revision of the candidate, if it could be read.
    pub revision: Option<String>,
    /// How it ended.
    pub result: ReloadResult,
    /// Why it was refused, or what should be looked at.
    pub findings: Vec<Finding>,
}

/// State of one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// Works, but not as it should: still ready.
    Degraded(String),
    /// Does not work: not ready.
    Failed(String),
    /// Works.
    Ok,
}

/// The checks of `/readyz`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// A snapshot is in force.
    pub snapshot: Check,
    /// The file watcher lives; dead means polling.
    pub watcher: Check,
    /// What is on disk is what is in force.
    pub sources: Check,
    /// The decisions listener accepts; failed while draining.
    pub listener: Check,
}

/// The shared state behind the admin pages.
#[derive(Debug)]
pub struct Status {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    health: Health,
    /// (file name, SHA-256) of what is in force.
    files: Vec<(String, String)>,
    loaded_at: Option<SystemTime>,
    attempts: VecDeque<Attempt>,
}

impl Check {
    /// Whether the service can do its work.
    fn is_ready(&self) -> bool {
        match self {
            Self::Degraded(_) | Self::Ok => true,
            Self::Failed(_) => false,
        }
    }
}

impl Status {
    /// The state at start: nothing loaded, nobody listens.
    #[expect(clippy::new_without_default, reason = "a start state is not a default")]
    pub fn new() -> Self {
        let health = Health {
            snapshot: Check::Failed("no snapshot yet".to_owned()),
            watcher: Check::Degraded("not watching yet".to_owned()),
            sources: Check::Ok,
            listener: Check::Failed("not listening yet".to_owned()),
        };
        let inner = Inner {
            health,
            files: Vec::new(),
            loaded_at: None,
            attempts: VecDeque::new(),
        };
        Self {
            inner: Mutex::new(inner),
        }
    }

    /// Every check, at one moment.
    pub fn health(&self) -> Health {
        self.inner().health.clone()
    }

    /// Whether no check failed.
    pub fn ready(&self) -> bool {
        let inner = self.inner();
        let Health {
            snapshot,
            watcher,
            sources,
            listener,
        } = &inner.health;
        [snapshot, watcher, sources, listener]
            .iter()
            .all(|check| check.is_ready())
    }

    /// Name and SHA-256 of every file in force.
    pub fn files(&self) -> Vec<(String, String)> {
        self.inner().files.clone()
    }

    /// When what is in force was published.
    pub fn loaded_at(&self) -> Option<SystemTime> {
        self.inner().loaded_at
    }

    /// The last attempts that were more than "unchanged", newest last.
    pub fn attempts(&self) -> Vec<Attempt> {
        self.inner().attempts.iter().cloned().collect()
    }

    /// The decisions listener accepts, or not.
    pub fn set_listener(&self, check: Check) {
        self.inner().health.listener = check;
    }

    /// The watcher lives, or not.
    pub fn set_watcher(&self, check: Check) {
        self.inner().health.watcher = check;
    }

    /// What is on disk is in force, or not.
    pub fn set_sources(&self, check: Check) {
        self.inner().health.sources = check;
    }

    /// A snapshot made of these files (name, SHA-256) is in force.
    pub fn published(&self, files: Vec<(String, String)>, at: SystemTime) {
        let mut inner = self.inner();
        inner.files = files;
        inner.loaded_at = Some(at);
        inner.health.snapshot = Check::Ok;
    }

    /// A reload attempt ended.
    pub fn attempted(&self, attempt: Attempt) {
        let mut inner = self.inner();
        if inner.attempts.len() == ATTEMPTS {
            inner.attempts.pop_front();
        }
        inner.attempts.push_back(attempt);
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Every change is one assignment: a panic elsewhere leaves nothing half done.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_needs_a_snapshot_and_a_listener_and_no_more() {
        let status = Status::new();
        assert!(!status.ready());
        status.published(Vec::new(), SystemTime::UNIX_EPOCH);
        assert!(!status.ready());
        status.set_listener(Check::Ok);
        assert!(status.ready());
        status.set_sources(Check::Degraded("refused".to_owned()));
        status.set_watcher(Check::Degraded("polling".to_owned()));
        assert!(status.ready());
        status.set_listener(Check::Failed("draining".to_owned()));
        assert!(!status.ready());
    }

    #[test]
    fn the_last_twenty_attempts_are_kept_newest_last() {
        let status = Status::new();
        for number in 0..25 {
            status.attempted(Attempt {
                at: SystemTime::UNIX_EPOCH,
                revision: Some(number.to_string()),
                result: ReloadResult::Applied,
                findings: Vec::new(),
            });
        }
        let revisions: Vec<_> = status
            .attempts()
            .into_iter()
            .filter_map(|attempt| attempt.revision)
            .collect();
        assert_eq!(revisions.len(), 20);
        assert_eq!(revisions.first().unwrap(), "5");
        assert_eq!(revisions.last().unwrap(), "24");
    }
}
