//! The books: what is in force, what was, what waits, and what that means.

use std::{collections::VecDeque, sync::Arc, time::SystemTime};

use crate::{
    authz::{Rejection, Revision, Snapshot},
    source::{changes, log},
    store::{OverrideError, Publisher},
    telemetry::{Attempt, Changes, Check, InForce, ReloadResult, Rollback},
};

use super::Look;

/// The books of [`Publications`].
#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) publisher: Publisher,
    pub(super) in_force: Option<InForce>,
    /// What was in force before, newest last.
    pub(super) earlier: VecDeque<InForce>,
    /// What the files said when they were last in order: in force, but for a pin.
    pub(super) latest: Option<Candidate>,
    pub(super) pinned: bool,
    pub(super) refused: Option<Refused>,
    /// No longer in force, and maybe still in use: dropped here and not by whoever decides last.
    pub(super) retired: Vec<Arc<Snapshot>>,
}

/// A snapshot with the names and digests of what it was made of.
#[derive(Clone, Debug)]
pub(in crate::source) struct Candidate {
    pub(in crate::source) snapshot: Arc<Snapshot>,
    pub(in crate::source) files: Arc<changes::Files>,
}

/// What was refused last, so that it is refused once and not at every look.
#[derive(Debug)]
pub(in crate::source) struct Refused {
    /// `None` if not the candidate is to blame but what was in the way of reading or compiling
    /// it, which may go away without a trace on the files.
    pub(in crate::source) revision: Option<Revision>,
    pub(in crate::source) rejection: Rejection,
    /// What it was made of, if it could be read.
    pub(in crate::source) files: Option<Arc<changes::Files>>,
    /// If a gate refused it: what can be taken all the same, with warnings for its findings.
    pub(in crate::source) acceptable: Option<Box<Snapshot>>,
}

impl Ledger {
    pub(super) fn new(publisher: Publisher) -> Self {
        Self {
            publisher,
            in_force: None,
            earlier: VecDeque::new(),
            latest: None,
            pinned: false,
            refused: None,
            retired: Vec::new(),
        }
    }

    /// What a revision is, if it need not be compiled: what the files said when they were last in
    /// order, or what is in force.
    pub(super) fn known(&self, revision: &Revision) -> Option<Candidate> {
        let latest = self.latest.iter().cloned();
        let mut known = latest.chain(self.in_force.iter().map(Candidate::from));
        known.find(|it| it.is(revision))
    }

    pub(super) fn is_refused(&self, revision: &Revision) -> bool {
        let refused = self.refused.as_ref();
        refused.is_some_and(|it| it.revision.as_ref() == Some(revision))
    }

    /// The files say something known. A record, if they said something else before.
    pub(super) fn confirm(&mut self, known: Candidate, look: &Look) -> Option<Attempt> {
        let revision = known.snapshot.revision();
        let same = self.latest.as_ref().is_some_and(|it| it.is(revision));
        let news = self.refused.is_some() || !same;
        let attempt = news.then(|| self.attempt(look, ReloadResult::Unchanged, Some(&known)));
        self.refused = None;
        self.latest = Some(known);
        attempt
    }

    /// Puts something else in force, and keeps so many of what was.
    pub(super) fn replace(&mut self, now: InForce, keep: usize) {
        let earlier = std::mem::take(&mut self.earlier);
        let is_same = |it: &InForce| it.is(now.snapshot.revision());
        let (same, others): (VecDeque<_>, VecDeque<_>) = earlier.into_iter().partition(is_same);
        // Compiled anew, it is another snapshot of the same revision.
        let same = same.into_iter().map(|it| it.snapshot);
        let same = same.filter(|it| !Arc::ptr_eq(it, &now.snapshot));
        self.retired.extend(same);
        self.earlier = others;
        self.earlier.extend(self.in_force.replace(now));
        while self.earlier.len() > keep {
            let first = self.earlier.pop_front();
            self.retired.extend(first.map(|it| it.snapshot));
        }
    }

    /// The record of what is being done, before it is done.
    pub(super) fn attempt(
        &self,
        look: &Look,
        result: ReloadResult,
        to: Option<&Candidate>,
    ) -> Attempt {
        let revision = |it: &Snapshot| it.revision().to_string();
        Attempt {
            at: SystemTime::now(),
            trigger: look.trigger,
            by: look.by.clone(),
            from: self.in_force.as_ref().map(|it| revision(&it.snapshot)),
            revision: to.map(|it| revision(&it.snapshot)),
            result,
            changes: self.changes_to(to.map(|it| &*it.files), look),
            findings: to.map_or_else(Vec::new, |it| it.snapshot.warnings().to_vec()),
            took: look.took.clone(),
        }
    }

    /// The record of a candidate that is refused.
    pub(super) fn refusal(&self, refused: &Refused, look: &Look) -> Attempt {
        let result = ReloadResult::Rejected(refused.rejection.reason());
        Attempt {
            revision: refused.revision.as_ref().map(Revision::to_string),
            changes: self.changes_to(refused.files.as_deref(), look),
            findings: refused.rejection.findings().to_vec(),
            ..self.attempt(look, result, None)
        }
    }

    /// How files differ from those of what is in force; not at all if nobody could read them.
    fn changes_to(&self, files: Option<&changes::Files>, look: &Look) -> Changes {
        let before = self.in_force.as_ref().map_or(&[][..], |it| &it.files);
        files.map_or_else(Changes::default, |files| {
            changes::between(before, files, &look.owners)
        })
    }

    pub(super) fn is_in_force(&self, revision: &Revision) -> bool {
        self.in_force.as_ref().is_some_and(|it| it.is(revision))
    }

    /// Whether what is on disk is not what is in force.
    pub(super) fn is_stale(&self) -> bool {
        self.refused.is_some() || self.waits()
    }

    /// Whether something good waits for the end of a pin.
    fn waits(&self) -> bool {
        let latest = self.latest.as_ref().map(|it| it.snapshot.revision());
        !latest.is_some_and(|it| self.is_in_force(it))
    }

    pub(super) fn check(&self) -> Check {
        let refused = self.refused.as_ref().map(|it| {
            let reason = it.rejection.reason().as_str();
            let count = log::errors(it.rejection.findings()).count();
            format!("the last edit was refused ({reason}): {count} findings")
        });
        let pinned = self.pinned.then(|| {
            if self.waits() {
                "pinned by an operator: a good edit waits".to_owned()
            } else {
                "pinned by an operator".to_owned()
            }
        });
        let states: Vec<String> = refused.into_iter().chain(pinned).collect();
        if states.is_empty() {
            Check::Ok
        } else {
            Check::Degraded(states.join("; "))
        }
    }

    /// What can be pinned: what is in force, and what was; the newest last.
    pub(super) fn revisions(&self) -> impl Iterator<Item = (String, SystemTime)> {
        let known = self.earlier.iter().chain(&self.in_force);
        known.map(|it| (it.snapshot.revision().to_string(), it.loaded_at))
    }

    pub(super) fn find(&self, revision: &str) -> Option<Candidate> {
        let known = self.earlier.iter().chain(&self.in_force);
        let mut known = known.filter(|it| it.snapshot.revision().as_str() == revision);
        known.next().map(Candidate::from)
    }

    /// What is put in force when a pin ends; nothing if it is already.
    ///
    /// # Errors
    /// The last edit is refused, and what the files said before it is not what is in force: nobody
    /// can have meant that.
    pub(super) fn after_pin(&self) -> Result<Option<Candidate>, OverrideError> {
        let waits = self.latest.clone().filter(|_| self.waits());
        match (&self.refused, waits) {
            (Some(refused), Some(latest)) => Err(OverrideError::Refused {
                reason: refused.rejection.reason().as_str(),
                latest: latest.snapshot.revision().to_string(),
            }),
            (_, waits) => Ok(waits),
        }
    }

    pub(super) fn rollback(&self) -> Rollback {
        let in_force = self.in_force.as_ref().filter(|_| self.pinned);
        let refused = self.refused.as_ref();
        let acceptable = refused.filter(|it| it.acceptable.is_some());
        Rollback {
            pinned: in_force.map(|it| it.snapshot.revision().to_string()),
            revisions: self.revisions().collect(),
            acceptable: acceptable.and_then(|it| it.revision.as_ref().map(Revision::to_string)),
        }
    }

    pub(super) fn not_acceptable(&self, revision: &str) -> OverrideError {
        let revision = revision.to_owned();
        match &self.refused {
            Some(refused) if refused.is_of(&revision) => OverrideError::Invalid {
                revision,
                reason: refused.rejection.reason().as_str(),
            },
            refused => OverrideError::NotRefused {
                revision,
                refused: refused
                    .as_ref()
                    .and_then(|it| it.revision.as_ref().map(Revision::to_string)),
            },
        }
    }
}

impl From<&InForce> for Candidate {
    fn from(in_force: &InForce) -> Self {
        Self {
            snapshot: Arc::clone(&in_force.snapshot),
            files: Arc::clone(&in_force.files),
        }
    }
}

impl Candidate {
    fn is(&self, revision: &Revision) -> bool {
        self.snapshot.revision() == revision
    }
}

impl Refused {
    /// Nobody knows what the candidate is.
    pub(in crate::source) fn unread(rejection: Rejection) -> Self {
        Self {
            revision: None,
            rejection,
            files: None,
            acceptable: None,
        }
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        self.revision == other.revision && self.rejection == other.rejection
    }

    pub(super) fn is_of(&self, revision: &str) -> bool {
        self.revision
            .as_ref()
            .is_some_and(|it| it.as_str() == revision)
    }
}
