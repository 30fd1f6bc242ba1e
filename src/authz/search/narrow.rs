//! Who cannot be found, known before they are decided.

use std::collections::HashSet;

use cedar_policy::Request;

use crate::authz::{
    Query, Snapshot,
    engine::{Entity, Uid},
    query::Reading,
};

use super::{Narrowing, Open, residuals::Residuals, scopes::Scopes};

/// A search of which nothing but the candidates' entities differs from one to the next: the store
/// alone speaks for all entities.
#[derive(Debug)]
pub(super) struct Narrowable<'s> {
    pub(super) snapshot: &'s Snapshot,
    pub(super) open: Open,
    /// What the policies would be asked about the probe.
    pub(super) request: Request,
    /// Entities its context names.
    pub(super) mentioned: HashSet<Uid>,
}

/// Who is left.
#[derive(Debug)]
pub(super) struct Narrowed<'n, 's> {
    all: &'n Narrowable<'s>,
    scopes: Option<Scopes>,
    residuals: Option<Residuals<'s>>,
}

impl<'s> Narrowable<'s> {
    /// `None` if nobody is to be left out.
    pub(super) fn narrow(&self, narrowing: Narrowing) -> Option<Narrowed<'_, 's>> {
        let (snapshot, open, request) = (self.snapshot, self.open, &self.request);
        let scopes = || Scopes::of(snapshot, open, request);
        let residuals = || Residuals::of(snapshot, open, request, &self.mentioned);
        (narrowing > Narrowing::Nothing).then(|| Narrowed {
            all: self,
            scopes: (narrowing >= Narrowing::Scopes).then(scopes).flatten(),
            residuals: (narrowing >= Narrowing::Residuals)
                .then(residuals)
                .flatten(),
        })
    }
}

impl Narrowed<'_, '_> {
    /// Whether nobody is left.
    pub(super) fn is_nobody(&self) -> bool {
        self.scopes.as_ref().is_some_and(Scopes::are_empty)
            || self
                .residuals
                .as_ref()
                .is_some_and(Residuals::permit_nobody)
    }

    /// Whether some permit's scope lets a stored candidate in.
    pub(super) fn scopes_let_in(&self, candidate: &Entity) -> bool {
        let scopes = self.scopes.as_ref();
        scopes.is_none_or(|scopes| scopes.let_in(candidate))
    }

    /// The whole question about a stored candidate; `None` if what is left of the policies does
    /// not permit it.
    pub(super) fn query(&self, candidate: &Entity) -> Option<Query> {
        let all = self.all;
        let request = all.open.filled(&all.request, candidate.uid())?;
        let residuals = self.residuals.as_ref();
        if residuals.is_some_and(|residuals| !residuals.may_permit(&request)) {
            return None;
        }
        let mentioned = all.mentioned.iter().cloned();
        Some(Reading::new(all.snapshot).finish(request, mentioned))
    }
}
