//! What `/readyz` and `/v1/status` tell: written by the reloader and the server, read by the admin pages.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::SystemTime,
};

use crate::authz::{Revision, Snapshot};

use super::Tracer;

mod attempt;
mod kept;
mod proofs;

pub use attempt::{Attempt, Change, Changed, Changes, Phase, ReloadResult, Trigger};
pub use kept::{Kept, KeptKind};
pub use proofs::{CellKey, CellProof, CellProofs, CellState, Standing};

/// How many reload attempts are remembered: enough for the edits of a busy hour.
const ATTEMPTS: usize = 20;

/// State of one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// Works, but not as it should: still ready.
    Degraded(String),
    /// Does not work: not ready.
    Failed(String),
    /// Nobody wants it.
    Off(String),
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
    /// Decisions are written to the log.
    pub decision_log: Check,
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

/// What an operator can bring back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rollback {
    /// The revision that is held in force, whatever the files say.
    pub pinned: Option<String>,
    /// Revisions that can be pinned, with the time when each came into force last; newest last.
    pub revisions: Vec<(String, SystemTime)>,
    /// The revision of a refused edit that can be taken all the same.
    pub acceptable: Option<String>,
}

/// What a look at the sources, or an operator, changed.
#[derive(Debug)]
pub struct Turn {
    /// Whether what is on disk is in force.
    pub sources: Check,
    /// What is in force now, if that is another snapshot.
    pub in_force: Option<InForce>,
    /// What can be brought back; `None` if nobody may.
    pub rollback: Option<Rollback>,
    /// The record, if it is worth one.
    pub attempt: Option<Arc<Attempt>>,
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
    /// What can be brought back; `None` if nobody may.
    pub rollback: Option<Rollback>,
    /// What listeners demand of their callers.
    pub access: Vec<Kept>,
    /// What is proved of the matrix, of whatever revision.
    pub proofs: Option<Arc<CellProofs>>,
}

/// The shared state behind the admin pages.
#[derive(Debug)]
pub struct Status {
    inner: Mutex<Reading>,
    tracer: OnceLock<Tracer>,
}

impl InForce {
    /// Whether it is of this revision.
    pub fn is(&self, revision: &Revision) -> bool {
        self.snapshot.revision() == revision
    }
}

impl Check {
    /// Whether the service can do its work.
    fn is_ready(&self) -> bool {
        match self {
            Self::Degraded(_) | Self::Off(_) | Self::Ok => true,
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
            decision_log,
            listener,
        } = self;
        [snapshot, watcher, sources, decision_log, listener]
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
            decision_log: Check::Off("decisions are not logged".to_owned()),
            listener: Check::Failed("not listening yet".to_owned()),
        };
        let inner = Reading {
            health,
            in_force: None,
            attempts: VecDeque::new(),
            rollback: None,
            access: Vec::new(),
            proofs: None,
        };
        Self {
            inner: Mutex::new(inner),
            tracer: OnceLock::new(),
        }
    }

    /// Records attempts as spans, too, from now on.
    pub fn traced(&self, tracer: Tracer) {
        // There is one, who is told once.
        let _ = self.tracer.set(tracer);
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

    /// Records of decisions are written, or not.
    pub fn set_decision_log(&self, check: Check) {
        self.inner().health.decision_log = check;
    }

    /// The watcher lives, or not.
    pub fn set_watcher(&self, check: Check) {
        self.inner().health.watcher = check;
    }

    /// The cells of some revision were looked at.
    pub fn set_proofs(&self, proofs: Arc<CellProofs>) {
        self.inner().proofs = Some(proofs);
    }

    /// A look at the sources ended, or an operator changed what is in force: all of it at once.
    pub fn turned(&self, turn: Turn) {
        let mut inner = self.inner();
        inner.health.sources = turn.sources;
        inner.rollback = turn.rollback;
        if let Some(in_force) = turn.in_force {
            inner.in_force = Some(in_force);
            inner.health.snapshot = Check::Ok;
        }
        if let Some(attempt) = turn.attempt {
            if let Some(tracer) = self.tracer.get() {
                tracer.attempted(&attempt);
            }
            inner.attempted(attempt);
        }
    }

    fn inner(&self) -> MutexGuard<'_, Reading> {
        // No change can panic half way: a panic elsewhere leaves nothing half done.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reading {
    fn attempted(&mut self, attempt: Arc<Attempt>) {
        if self.attempts.len() == ATTEMPTS {
            self.attempts.pop_front();
        }
        self.attempts.push_back(attempt);
    }
}

#[cfg(test)]
mod tests {
    use crate::authz::Sources;

    use super::*;

    fn turn(sources: Check) -> Turn {
        Turn {
            sources,
            in_force: None,
            rollback: None,
            attempt: None,
        }
    }

    fn attempt(revision: &str) -> Arc<Attempt> {
        Arc::new(Attempt {
            at: SystemTime::UNIX_EPOCH,
            trigger: Trigger::Poll,
            by: None,
            from: None,
            revision: Some(revision.to_owned()),
            result: ReloadResult::Applied,
            changes: Changes::default(),
            findings: Vec::new(),
            took: Vec::new(),
        })
    }

    fn publication() -> Turn {
        let snapshot = Arc::new(Snapshot::compile(&Sources::default()).unwrap());
        let revision = snapshot.revision().to_string();
        let in_force = InForce {
            snapshot,
            files: Arc::default(),
            loaded_at: SystemTime::UNIX_EPOCH,
        };
        Turn {
            in_force: Some(in_force),
            attempt: Some(attempt(&revision)),
            ..turn(Check::Ok)
        }
    }

    #[test]
    fn a_reading_after_a_publication_has_all_of_it() {
        let status = Status::new();
        status.turned(turn(Check::Degraded("refused".to_owned())));
        let before = status.read();
        status.turned(publication());
        let reading = status.read();
        let revision = reading.in_force.unwrap().snapshot.revision().to_string();
        let attempt = reading.attempts.back().unwrap();
        assert_eq!(attempt.revision, Some(revision));
        assert_eq!(reading.health.snapshot, Check::Ok);
        assert_eq!(reading.health.sources, Check::Ok);
        // What was read before has none of it.
        assert!(before.in_force.is_none() && before.attempts.is_empty());
    }

    #[test]
    fn ready_needs_a_snapshot_and_a_listener_and_no_more() {
        let status = Status::new();
        assert!(!status.read().health.is_ready());
        status.turned(publication());
        assert!(!status.read().health.is_ready());
        status.set_listener(Check::Ok);
        assert!(status.read().health.is_ready());
        status.turned(turn(Check::Degraded("refused".to_owned())));
        status.set_watcher(Check::Degraded("polling".to_owned()));
        assert!(status.read().health.is_ready());
        status.set_listener(Check::Failed("draining".to_owned()));
        assert!(!status.read().health.is_ready());
    }

    #[test]
    fn the_last_twenty_attempts_are_kept_newest_last() {
        let status = Status::new();
        for number in 0..25 {
            status.turned(Turn {
                attempt: Some(attempt(&number.to_string())),
                ..turn(Check::Ok)
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
