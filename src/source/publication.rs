//! What is in force, what was, and what could be: the one place that swaps snapshots, counts it,
//! and tells of it.

use std::{
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, mpsc::SyncSender},
    time::{Duration, SystemTime},
};

use crate::{
    authz::{Counts, Rejection, Revision, Snapshot, Sources, Valid},
    store::Publisher,
    telemetry::{
        Attempt, DecisionLog, InForce, Metrics, Phase, ReloadResult, Status, Trigger, Turn,
    },
};

use super::{changes::Owners, log};

mod by_hand;
mod ledger;

use ledger::Ledger;
pub(super) use ledger::{Candidate, Refused};

/// Shared by the loop that reads the files and by operators; decisions never wait for it.
#[derive(Debug)]
pub(super) struct Publications {
    metrics: Arc<Metrics>,
    status: Arc<Status>,
    /// How many snapshots that were in force are kept.
    keep: usize,
    ledger: Mutex<Ledger>,
    /// Woken when something else is in force.
    wake: OnceLock<SyncSender<()>>,
    decision_log: OnceLock<Arc<DecisionLog>>,
}

/// How a look went up to its result.
#[derive(Clone, Debug)]
pub(super) struct Look {
    pub(super) trigger: Trigger,
    pub(super) took: Vec<(Phase, Duration)>,
    /// Who wanted it, if an operator did and is known.
    pub(super) by: Option<String>,
    /// Whose the files are.
    pub(super) owners: Owners,
}

impl Look {
    pub(super) fn by(trigger: Trigger) -> Self {
        Self {
            trigger,
            took: Vec::new(),
            by: None,
            owners: Owners::new(),
        }
    }
}

impl Publications {
    pub(super) fn new(
        publisher: Publisher,
        metrics: Arc<Metrics>,
        status: Arc<Status>,
        keep: usize,
    ) -> Self {
        Self {
            metrics,
            status,
            keep,
            ledger: Mutex::new(Ledger::new(publisher)),
            wake: OnceLock::new(),
            decision_log: OnceLock::new(),
        }
    }

    /// Whom to wake from now on when something else is in force.
    pub(super) fn wakes(&self, wake: SyncSender<()>) {
        // There is one, who is told once.
        let _ = self.wake.set(wake);
    }

    /// Where attempts are recorded from now on.
    pub(super) fn logs(&self, decision_log: Arc<DecisionLog>) {
        // There is one, which is told once.
        let _ = self.decision_log.set(decision_log);
    }

    /// What is in force.
    pub(super) fn in_force(&self) -> Option<Arc<Snapshot>> {
        let ledger = self.ledger();
        let in_force = ledger.in_force.as_ref();
        in_force.map(|it| Arc::clone(&it.snapshot))
    }

    /// Whether this is what is in force.
    pub(super) fn is_in_force(&self, revision: &str) -> bool {
        let ledger = self.ledger();
        let in_force = ledger.in_force.as_ref();
        in_force.is_some_and(|it| it.snapshot.revision().as_str() == revision)
    }

    /// What the files said last, if that is kept.
    pub(super) fn latest_sources(&self) -> Option<Arc<Sources>> {
        let ledger = self.ledger();
        let latest = ledger.latest.as_ref();
        latest.and_then(|it| it.snapshot.sources().cloned())
    }

    /// What the files said last, in numbers: candidates are compared with it.
    pub(super) fn latest_counts(&self) -> Option<Counts> {
        let ledger = self.ledger();
        ledger.latest.as_ref().map(|it| it.snapshot.counts())
    }

    /// What the next candidate need not be validated for.
    pub(super) fn valid(&self) -> Option<Arc<Valid>> {
        let ledger = self.ledger();
        let latest = ledger.latest.as_ref();
        latest.and_then(|it| it.snapshot.valid().cloned())
    }

    /// Whether something other than the files was in the way when they were last looked at.
    pub(super) fn is_untried(&self) -> bool {
        let ledger = self.ledger();
        let refused = ledger.refused.as_ref();
        refused.is_some_and(|it| it.revision.is_none())
    }

    /// Why there is nothing in force.
    pub(super) fn why_none(&self) -> Option<Rejection> {
        let ledger = self.ledger();
        let none = ledger.in_force.is_none();
        let refused = ledger.refused.as_ref().filter(|_| none);
        refused.map(|it| it.rejection.clone())
    }

    /// Whether there is nothing to compile: the files say what they said before, or what is in
    /// force.
    pub(super) fn settles(&self, revision: &Revision, look: &Look) -> bool {
        let mut ledger = self.ledger();
        let known = ledger.known(revision);
        if known.is_none() && !ledger.is_refused(revision) {
            return false;
        }
        let attempt = known.and_then(|known| ledger.confirm(known, look));
        let attempt = attempt.map(Arc::new);
        self.count(ReloadResult::Unchanged, look, &ledger);
        self.tell(&ledger, None, attempt.clone());
        drop(ledger);
        if let Some(attempt) = attempt {
            self.record(&attempt);
            log::restored(&attempt);
        }
        true
    }

    /// A candidate that passed everything: in force by one swap, unless one is pinned.
    pub(super) fn offer(&self, candidate: &Candidate, look: &Look) {
        let mut ledger = self.ledger();
        ledger.refused = None;
        let attempt = self.take(&mut ledger, candidate.clone(), look);
        drop(ledger);
        self.record(&attempt);
        log::taken(&attempt, candidate.snapshot.counts());
    }

    /// A candidate that changes nothing but what is told of it.
    pub(super) fn refuse(&self, mut refused: Refused, look: &Look) {
        let mut ledger = self.ledger();
        if ledger.refused.as_ref().is_some_and(|it| it.is(&refused)) {
            return self.count(ReloadResult::Unchanged, look, &ledger);
        }
        let attempt = Arc::new(ledger.refusal(&refused, look));
        if self.keep == 0 {
            refused.acceptable = None;
        }
        let before = ledger.refused.replace(refused);
        self.count(attempt.result, look, &ledger);
        self.tell(&ledger, None, Some(Arc::clone(&attempt)));
        let first = ledger.in_force.is_none();
        drop(ledger);
        drop(before);
        self.record(&attempt);
        // With nothing in force, whoever asked for the first load tells why there is none.
        if !first {
            log::refused(&attempt);
        }
    }

    /// Drops what is retired and no longer in use. Returns whether something is left.
    pub(super) fn sweep(&self) -> bool {
        let mut ledger = self.ledger();
        let retired = std::mem::take(&mut ledger.retired);
        // Nobody can get hold of it any more: a count of one stays one.
        let (unused, used) = retired
            .into_iter()
            .partition::<Vec<_>, _>(|it| Arc::strong_count(it) == 1);
        ledger.retired = used;
        let left = !ledger.retired.is_empty();
        drop(ledger);
        drop(unused);
        left
    }

    fn take(&self, ledger: &mut Ledger, candidate: Candidate, look: &Look) -> Arc<Attempt> {
        let result = if ledger.pinned {
            ReloadResult::Held
        } else {
            ReloadResult::Applied
        };
        let attempt = Arc::new(ledger.attempt(look, result, Some(&candidate)));
        ledger.latest = Some(candidate.clone());
        let in_force = (!ledger.pinned).then(|| self.put(ledger, candidate));
        self.count(result, look, ledger);
        self.tell(ledger, in_force, Some(Arc::clone(&attempt)));
        attempt
    }

    /// The swap itself.
    fn put(&self, ledger: &mut Ledger, candidate: Candidate) -> InForce {
        let Candidate { snapshot, files } = candidate;
        // Metrics first: whoever sees the new revision in a reply finds its series.
        self.metrics.published(&snapshot);
        ledger.publisher.publish(Arc::clone(&snapshot));
        let now = InForce {
            snapshot,
            files,
            loaded_at: SystemTime::now(),
        };
        ledger.replace(now.clone(), self.keep);
        if let Some(wake) = self.wake.get() {
            // Full wakes it as well.
            let _ = wake.try_send(());
        }
        now
    }

    /// Counts an attempt, or a look that found nothing new.
    fn count(&self, result: ReloadResult, look: &Look, ledger: &Ledger) {
        self.metrics.reloaded(result);
        let now = SystemTime::now();
        if look.trigger.looks() {
            self.metrics.attempted_at(now);
        }
        if !ledger.is_stale() {
            self.metrics.confirmed_at(now);
        }
    }

    /// Status after all of that: what it tells is in force and counted by then. Only the log comes
    /// later: whoever reads a line there finds it everywhere.
    fn tell(&self, ledger: &Ledger, in_force: Option<InForce>, attempt: Option<Arc<Attempt>>) {
        self.metrics.stale(ledger.is_stale());
        self.metrics.pinned(ledger.pinned);
        self.status.turned(Turn {
            sources: ledger.check(),
            in_force,
            rollback: (self.keep > 0).then(|| ledger.rollback()),
            attempt,
        });
    }

    /// Puts it in the decision log. May wait there: not while others wait for us.
    fn record(&self, attempt: &Attempt) {
        if let Some(log) = self.decision_log.get() {
            log.reloaded(attempt);
        }
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        // A panic half way through leaves a snapshot in force that is whole.
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
