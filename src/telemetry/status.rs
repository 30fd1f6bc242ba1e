//! What `/readyz` and `/v1/status` tell: written by the reloader and the server, read by the admin pages.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use crate::authz::{Finding, Kind, Snapshot};

mod kept;

pub use kept::{Kept, KeptKind};

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

impl ReloadResult {
    /// The `result` and the `reason`, in metrics and on the status page.
    pub fn labels(self) -> [&'static str; 2] {
        match self {
            Self::Applied => ["applied", "none"],
            Self::Rejected(kind) => ["rejected", kind.as_str()],
            Self::Unchanged => ["unchanged", "none"],
        }
    }
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

/// What is in force, and since when.
#[derive(Clone, Debug)]
pub struct InForce {
    /// The snapshot itself.
    pub snapshot: Arc<Snapshot>,
    /// (file name, SHA-256) of what it was made of.
    pub files: Arc<[(String, String)]>,
    /// When it was published.
    pub loaded_at: SystemTime,
}

/// Everything at one moment.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Every check.
    pub health: Health,
    /// What is in force; `None` before the first is.
    pub in_force: Option<InForce>,
    /// The last attempts that were more than "unchanged", newest last.
    pub attempts: VecDeque<Arc<Attempt>>,
    /// What listeners demand of their callers.
    pub access: Vec<Kept>,
}

/// The shared state behind the admin pages.
#[derive(Debug)]
pub struct Status {
    inner: Mutex<Reading>,
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

impl Health {
    /// Whether no check failed.
    pub fn is_ready(&self) -> bool {
        let Self {
            snapshot,
            watcher,
            sources,
            listener,
        } = self;
        [snapshot, watcher, sources, listener]
            .iter()
            .all(|check| check.is_ready())
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
        let inner = Reading {
            health,
            in_force: None,
            attempts: VecDeque::new(),
            access: Vec::new(),
        };
        Self {
            inner: Mutex::new(inner),
        }
    }

    /// Every check, at one moment.
    pub fn health(&self) -> Health {
        self.inner().health.clone()
    }

    /// Everything, at one moment.
    pub fn read(&self) -> Reading {
        self.inner().clone()
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

    /// A snapshot made of what is on disk is in force: also the last attempt, which was applied.
    pub fn published(&self, in_force: InForce) {
        let attempt = Attempt {
            at: in_force.loaded_at,
            revision: Some(in_force.snapshot.revision().to_string()),
            result: ReloadResult::Applied,
            findings: in_force.snapshot.warnings().to_vec(),
        };
        let mut inner = self.inner();
        inner.in_force = Some(in_force);
        inner.health.snapshot = Check::Ok;
        inner.health.sources = Check::Ok;
        inner.attempted(attempt);
    }

    /// A candidate was refused, or something else ended a reload attempt.
    pub fn attempted(&self, attempt: Attempt) {
        self.inner().attempted(attempt);
    }

    /// What a listener demands is in force as its files say.
    pub fn keeps(&self, kept: Kept) {
        let mut inner = self.inner();
        let mut known = inner.access.iter_mut();
        match known.find(|it| it.is_of(kept.listener, kept.kind.as_str())) {
            Some(known) => *known = kept,
            None => inner.access.push(kept),
        }
    }

    /// What a listener's files say was not taken; what was in force stays.
    pub fn refused(&self, listener: &str, kind: &str, at: SystemTime, why: String) {
        let mut inner = self.inner();
        let mut known = inner.access.iter_mut();
        if let Some(kept) = known.find(|it| it.is_of(listener, kind)) {
            kept.error = Some((at, why));
        }
    }

    fn inner(&self) -> MutexGuard<'_, Reading> {
        // No change can panic half way: a panic elsewhere leaves nothing half done.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reading {
    fn attempted(&mut self, attempt: Attempt) {
        if self.attempts.len() == ATTEMPTS {
            self.attempts.pop_front();
        }
        self.attempts.push_back(Arc::new(attempt));
    }
}

#[cfg(test)]
mod tests {
    use crate::authz::Sources;

    use super::*;

    fn in_force() -> InForce {
        InForce {
            snapshot: Arc::new(Snapshot::compile(&Sources::default()).unwrap()),
            files: Arc::default(),
            loaded_at: SystemTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_reading_after_a_publication_has_all_of_it() {
        let status = Status::new();
        status.set_sources(Check::Degraded("refused".to_owned()));
        let before = status.read();
        status.published(in_force());
        let reading = status.read();
        let revision = reading.in_force.unwrap().snapshot.revision().to_string();
        let attempt = reading.attempts.back().unwrap();
        assert_eq!(attempt.revision, Some(revision));
        assert_eq!(attempt.result, ReloadResult::Applied);
        assert_eq!(reading.health.snapshot, Check::Ok);
        assert_eq!(reading.health.sources, Check::Ok);
        // What was read before has none of it.
        assert!(before.in_force.is_none() && before.attempts.is_empty());
    }

    #[test]
    fn ready_needs_a_snapshot_and_a_listener_and_no_more() {
        let status = Status::new();
        assert!(!status.read().health.is_ready());
        status.published(in_force());
        assert!(!status.read().health.is_ready());
        status.set_listener(Check::Ok);
        assert!(status.read().health.is_ready());
        status.set_sources(Check::Degraded("refused".to_owned()));
        status.set_watcher(Check::Degraded("polling".to_owned()));
        assert!(status.read().health.is_ready());
        status.set_listener(Check::Failed("draining".to_owned()));
        assert!(!status.read().health.is_ready());
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
            .read()
            .attempts
            .iter()
            .filter_map(|attempt| attempt.revision.clone())
            .collect();
        assert_eq!(revisions.len(), 20);
        assert_eq!(revisions.first().unwrap(), "5");
        assert_eq!(revisions.last().unwrap(), "24");
    }
}
