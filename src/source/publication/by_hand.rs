//! What an operator puts in force by hand.

use std::sync::Arc;

use crate::{
    source::log,
    store::{Override, OverrideError},
    telemetry::{ReloadResult, Trigger},
};

use super::{
    Look, Publications,
    ledger::{Candidate, Ledger},
};

impl Override for Publications {
    fn pin(&self, revision: &str) -> Result<(), OverrideError> {
        let mut ledger = self.ledger();
        let Some(candidate) = ledger.find(revision) else {
            return Err(OverrideError::NotKept {
                revision: revision.to_owned(),
                kept: ledger.revisions().map(|it| it.0).collect(),
            });
        };
        ledger.pinned = true;
        self.turn_to(&mut ledger, candidate, Trigger::Pin);
        Ok(())
    }

    fn unpin(&self) {
        let mut ledger = self.ledger();
        let latest = ledger.latest.clone();
        if let Some(latest) = latest.filter(|_| ledger.pinned) {
            ledger.pinned = false;
            self.turn_to(&mut ledger, latest, Trigger::Unpin);
        }
    }

    fn accept(&self, revision: &str) -> Result<(), OverrideError> {
        let mut ledger = self.ledger();
        let refused = ledger
            .refused
            .take_if(|it| it.is_of(revision) && it.acceptable.is_some());
        let accepted = refused.and_then(|it| Some((it.acceptable?, it.files?)));
        let Some((snapshot, files)) = accepted else {
            return Err(ledger.not_acceptable(revision));
        };
        let snapshot = Arc::new(*snapshot);
        let look = Look::by(Trigger::Accept);
        self.take(&mut ledger, Candidate { snapshot, files }, look);
        Ok(())
    }
}

impl Publications {
    /// An operator wants this in force; it may be so already.
    fn turn_to(&self, ledger: &mut Ledger, candidate: Candidate, trigger: Trigger) {
        let swaps = !ledger.is_in_force(candidate.snapshot.revision());
        let result = if swaps {
            ReloadResult::Applied
        } else {
            ReloadResult::Unchanged
        };
        let attempt = Arc::new(ledger.attempt(Look::by(trigger), result, Some(&candidate)));
        let counts = candidate.snapshot.counts();
        let in_force = swaps.then(|| self.put(ledger, candidate));
        if !ledger.is_stale() {
            self.metrics.confirmed_at(attempt.at);
        }
        self.tell(ledger, in_force, Some(Arc::clone(&attempt)));
        log::taken(&attempt, counts);
    }
}
