//! Who cannot be found, known before they are decided.

use crate::authz::{
    Query, Snapshot, query::Asked, query::Reading, symbols::Symbols, symbols::Uid, world::World,
};

use super::{Narrowing, Open, residuals::Residuals, scopes::Scopes};

/// A search of which nothing but the candidates' entities differs from one to the next: the store
/// alone speaks for all entities.
#[derive(Debug)]
pub(super) struct Narrowable<'s> {
    pub(super) snapshot: &'s Snapshot,
    pub(super) symbols: Symbols<'s>,
    pub(super) open: Open,
    /// What the policies would be asked about the probe.
    pub(super) asked: Asked,
}

/// Who is left.
#[derive(Debug)]
pub(super) struct Narrowed<'n, 's> {
    all: &'n Narrowable<'s>,
    world: World<'n>,
    scopes: Option<Scopes>,
    residuals: Option<Residuals>,
}

impl<'s> Narrowable<'s> {
    /// `None` if nobody is to be left out.
    pub(super) fn narrow(&self, narrowing: Narrowing) -> Option<Narrowed<'_, 's>> {
        let (snapshot, open, asked) = (self.snapshot, self.open, &self.asked);
        let world = World::stored(&self.symbols, snapshot.stored(), snapshot.schema());
        let scopes = narrowing >= Narrowing::Scopes;
        let scopes = scopes.then(|| Scopes::of(snapshot, open, asked, &world));
        let residuals = (narrowing >= Narrowing::Residuals)
            .then(|| Residuals::of(snapshot, open, asked, &self.symbols))
            .flatten();
        (narrowing > Narrowing::Nothing).then_some(Narrowed {
            all: self,
            world,
            scopes,
            residuals,
        })
    }
}

impl<'n, 's> Narrowed<'n, 's> {
    /// Whether nobody is left.
    pub(super) fn is_nobody(&self) -> bool {
        self.scopes.as_ref().is_some_and(Scopes::are_empty)
            || self
                .residuals
                .as_ref()
                .is_some_and(Residuals::permit_nobody)
    }

    /// Whether some permit's scope lets a stored candidate in.
    pub(super) fn scopes_let_in(&self, candidate: Uid) -> bool {
        let scopes = self.scopes.as_ref();
        scopes.is_none_or(|scopes| scopes.let_in(candidate, &self.world))
    }

    /// The whole question about a stored candidate; `None` if what is left of the policies does
    /// not permit it.
    pub(super) fn query(&self, candidate: Uid) -> Option<Query<'n>> {
        let all = self.all;
        let asked = all.open.filled(&all.asked, candidate);
        let residuals = self.residuals.as_ref();
        if residuals.is_some_and(|residuals| !residuals.may_permit(&asked.scene(&self.world))) {
            return None;
        }
        Some(Reading::above(all.snapshot, &all.symbols).finish(asked))
    }
}
