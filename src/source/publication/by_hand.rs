//! What an operator puts in force by hand.

use std::sync::{Arc, MutexGuard};

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
    fn pin(&self, revision: &str, by: Option<String>) -> Result<(), OverrideError> {
        let mut ledger = self.ledger();
        let Some(candidate) = ledger.find(revision) else {
            return Err(OverrideError::NotKept {
                revision: revision.to_owned(),
                kept: ledger.revisions().map(|it| it.0).collect(),
            });
        };
        let was_pinned = std::mem::replace(&mut ledger.pinned, true);
        let swaps = !ledger.is_in_force(candidate.snapshot.revision());
        // Who says it again and again fills no page with it.
        if swaps || !was_pinned {
            self.turn_to(ledger, candidate, Trigger::Pin, by);
        }
        Ok(())
    }

    fn unpin(&self, by: Option<String>) -> Result<(), OverrideError> {
        let mut ledger = self.ledger();
        let in_force = ledger.in_force.as_ref().map(Candidate::from);
        if let Some(in_force) = in_force.filter(|_| ledger.pinned) {
            let next = ledger.after_pin()?;
            ledger.pinned = false;
            self.turn_to(ledger, next.unwrap_or(in_force), Trigger::Unpin, by);
        }
        Ok(())
    }

    fn accept(&self, revision: &str, by: Option<String>) -> Result<(), OverrideError> {
        let mut ledger = self.ledger();
        let refused = ledger
            .refused
            .take_if(|it| it.is_of(revision) && it.acceptable.is_some());
        let accepted = refused.and_then(|it| Some((it.acceptable?, it.files?)));
        let Some((snapshot, files)) = accepted else {
            return Err(ledger.not_acceptable(revision));
        };
        let snapshot = Arc::new(*snapshot);
        let counts = snapshot.counts();
        let look = Look {
            by,
            ..Look::by(Trigger::Accept)
        };
        let attempt = self.take(&mut ledger, Candidate { snapshot, files }, &look);
        drop(ledger);
        self.record(&attempt);
        log::taken(&attempt, counts);
        Ok(())
    }
}

impl Publications {
    /// An operator wants this in force; it may be so already.
    fn turn_to(
        &self,
        mut ledger: MutexGuard<'_, Ledger>,
        candidate: Candidate,
        trigger: Trigger,
        by: Option<String>,
    ) {
        let swaps = !ledger.is_in_force(candidate.snapshot.revision());
        let result = if swaps {
            ReloadResult::Applied
        } else {
            ReloadResult::Unchanged
        };
        let look = Look {
            by,
            ..Look::by(trigger)
        };
        let attempt = Arc::new(ledger.attempt(&look, result, Some(&candidate)));
        let counts = candidate.snapshot.counts();
        let in_force = swaps.then(|| self.put(&mut ledger, candidate));
        self.count(result, &look, &ledger);
        self.tell(&ledger, in_force, Some(Arc::clone(&attempt)));
        drop(ledger);
        self.record(&attempt);
        log::taken(&attempt, counts);
    }
}
